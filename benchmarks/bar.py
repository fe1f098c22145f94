"""A progress bar on stderr: one line that changes on a terminal, a line every ten seconds elsewhere."""

import sys
import time

WIDTH = 30
ON_TERMINAL_S, ELSEWHERE_S = 0.2, 10.0


class Bar:
    """How far something is, and how long it still takes."""

    def __init__(self, what: str, total: float) -> None:
        self._what, self._total = what, max(total, 1e-9)
        self._began = time.monotonic()
        self._live = sys.stderr.isatty()
        self._told = self._began

    def at(self, done: float) -> None:
        """Show it, if the last time is a while ago."""
        now = time.monotonic()
        if now - self._told < (ON_TERMINAL_S if self._live else ELSEWHERE_S):
            return
        self._told = now
        share = min(done / self._total, 1.0)
        left = f"{(now - self._began) * (1 - share) / share:.0f} s left" if share else "…"
        filled = round(share * WIDTH)
        line = f"{self._what:<32} {'#' * filled}{'.' * (WIDTH - filled)} {share:4.0%} {left}"
        print(f"\r{line:<90}" if self._live else line, end="" if self._live else "\n", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Clear the line."""
        if self._live:
            print("\r" + " " * 90 + "\r", end="", file=sys.stderr, flush=True)
