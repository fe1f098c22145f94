"""What a request asks for, read from its path and its query."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from stream.domain import asking, instants
from stream.named import meant
from stream.web.answers import Malformed

PAGE = 100
LONGEST_PAGE = 1000
ID = r"{id:[\s\S]+}"
"""The rest of a path, which an id may be: with slashes, and with line breaks."""
_NUMBER = re.compile("[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Page:
    """Which leads: those behind `after` that are in `stage` and on `route` (None: any), at most `limit`."""

    stage: str | None
    route: str | None
    after: str
    limit: int

    def wants(self, stage: str, route: str) -> bool:
        """Tell whether leads of this stage and route are asked for."""
        return self.stage in {None, stage} and self.route in {None, route}


def visitor_of(request: web.Request, phone_region: str | None) -> str:
    """Return the identity asked for, as it is kept; raises `Malformed`."""
    return meant(_id(request, asking.node), phone_region)


def lead_of(request: web.Request, phone_region: str | None) -> str:
    """Return the lead id or identity asked for, as it is kept; raises `Malformed`."""
    return meant(_id(request, asking.named), phone_region)


def at_of(request: web.Request) -> int | None:
    """Return the instant asked for in ms, None for now; raises `Malformed`."""
    text = request.query.get("at")
    if text is None:
        return None
    try:
        return instants.parse(text)
    except instants.BadInstant as error:
        raise Malformed(f"at: {error}: write it like 2026-11-22T10:00:00Z (+ is %2B in an address)") from error


def page_of(request: web.Request) -> Page:
    """Return which leads are asked for; raises `Malformed`."""
    query = request.query
    after = query.get("after", "")
    if after and not asking.LEAD_ID.fullmatch(after):
        raise Malformed(f"after {after!r} is no lead id: take it from `next`")
    return Page(query.get("stage") or None, query.get("route") or None, after, limit_of(request))


def limit_of(request: web.Request) -> int:
    """Return how many documents a page may have; raises `Malformed`."""
    text = request.query.get("limit") or str(PAGE)
    if _NUMBER.fullmatch(text) is None or not 1 <= int(text) <= LONGEST_PAGE:
        raise Malformed(f"limit {text!r}: give a number from 1 to {LONGEST_PAGE}")
    return int(text)


def _id(request: web.Request, read: Callable[[str], str]) -> str:
    text = request.match_info["id"]
    try:
        return read(text)
    except ValueError as error:
        raise Malformed(str(error)) from error
