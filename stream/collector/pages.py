"""All that the collector answers beside events, by method and path."""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final

from stream.collector.answers import Answer
from stream.collector.request import Refused, Request

Page = Callable[[Request], Awaitable[Answer]]
Route = tuple[str, str]


class Pages:
    """Finds the page of a request; a path may hold one `{name}`, which stands for anything but a slash."""

    def __init__(self, pages: Mapping[Route, Page], others: Iterable[Route]) -> None:
        """Take the pages, and what else there is, for the answer to a wrong method."""
        self._exact = {route: page for route, page in pages.items() if "{" not in route[1]}
        self._patterns = [(method, _pattern(path), page) for (method, path), page in pages.items() if "{" in path]
        self._all = [(method, _pattern(path)) for method, path in [*pages, *others]]

    def find(self, method: str, path: str) -> Page:
        """Return the page; raises Refused(404 | 405)."""
        path = path.rstrip("/") or "/"
        asked = "GET" if method == "HEAD" else method
        page = self._exact.get((asked, path)) or next(
            (page for each, pattern, page in self._patterns if each == asked and pattern.fullmatch(path)), None
        )
        if page is not None:
            return page
        allowed = sorted({each for each, pattern in self._all if pattern.fullmatch(path)})
        if allowed:
            raise Refused(405, "method", f"{path[:100]} takes {', '.join(allowed)}", allow=(*allowed, "OPTIONS"))
        raise Refused(404, "path", f"nothing is at {path[:100]}: GET /openapi.json lists the addresses")


_NAME: Final = re.compile(r"\\\{[a-z]+\\\}")


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(_NAME.sub("[^/]+", re.escape(path)))
