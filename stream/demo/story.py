"""The story of a few leads: what they do, told in words, and when, relative to now."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final

import orjson

from stream.domain import instants

UNITS_MS: Final = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}

NextChange = Callable[[Iterable[bytes]], int | None]
"""Tells when the stage of the lead of these events changes next if nothing happens (ms)."""


@dataclass(frozen=True)
class Step:
    """One event of the story.

    `say` tells it to whoever watches, `ago_ms` when it happened before it is sent. A step that `fades` happened and was
    received long ago: what it earned is lost within the demo.
    """

    say: str
    ago_ms: int
    fades: bool
    event: dict[str, Any]

    def sent_at(self, now_ms: int, message_id: str) -> dict[str, Any]:
        """Return the event as it is sent at `now_ms`."""
        happened = instants.write(now_ms - self.ago_ms)
        received = {"receivedAt": happened} if self.fades else {}
        return {"messageId": message_id, **self.event, "timestamp": happened, **received}


def read(run: str = "") -> list[Step]:
    """Return the shipped story; `run` marks every id, so that it can be told again on the same Kafka.

    >>> len(read()) > 20
    True
    """
    text = resources.files("stream.demo").joinpath("story.ndjson").read_text("utf-8")
    return [_step(orjson.loads(line)) for line in text.replace("{run}", run).splitlines()]


def _step(told: dict[str, Any]) -> Step:
    number, unit = re.fullmatch(r"(\d+)([smhd])", told["ago"]).groups()  # type: ignore[union-attr]  # our own file
    return Step(told["say"], int(number) * UNITS_MS[unit], told.get("fades", False), told["event"])


def dated(steps: Sequence[Step], now_ms: int, due_ms: int, next_change: NextChange) -> list[Step]:
    """Return the story with its fading part moved in time, so that the rules take the stage away at `due_ms`.

    Points fade by a closed form that knows no date: moved by so much, the events move the crossing by as much.
    """
    fading = [step for step in steps if step.fades]
    lines = [orjson.dumps(step.sent_at(now_ms, f"fading-{number}")) for number, step in enumerate(fading)]
    due = next_change(lines)
    if due is None:
        return list(steps)
    return [_moved(step, due - due_ms) if step.fades else step for step in steps]


def _moved(step: Step, by_ms: int) -> Step:
    return Step(step.say, step.ago_ms + by_ms, step.fades, step.event)
