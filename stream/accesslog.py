r"""Access logs in Apache's and nginx's combined format: a line becomes one event.

>>> event = parse('192.0.2.1 - - [22/Nov/2026:10:00:00 +0100] "GET /a?b=1 HTTP/1.1" 200 12 "-" "curl/8"', "00:1")
>>> event["timestamp"], event["context"]["page"]
('2026-11-22T09:00:00.000Z', {'path': '/a', 'search': '?b=1'})
"""

import hashlib
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

# Whatever a scanner sends, a line is read in a time that grows with its length: what a part took it never gives back, and a
# time holds no bracket, so that no two of many brackets look through the same letters.
_QUOTED = r'"((?:[^"\\]++|\\.)*+)"'
_LINE = re.compile(rf"(\S++) \S++ .*?\[([^\[\]]++)\] {_QUOTED} ([0-9]{{3}}) ([0-9]{{1,18}}|-) {_QUOTED} {_QUOTED}")
_TIME = re.compile(r"(\d{2})/(\w{3})/(\d{4}):(\d{2}):(\d{2}):(\d{2}) ([+-])(\d{2})(\d{2})")
_MONTHS = {"JanFebMarAprMayJunJulAugSepOctNovDec"[at : at + 3]: at // 3 + 1 for at in range(0, 36, 3)}
_HOST_AND_PORT = re.compile(r"(\[.*\]|[^:]*):\d+")  # Apache's vhost_combined begins with the site: it is nobody's address
_ESCAPED = re.compile(r'\\(["\\])')
_METHOD = re.compile(r"[A-Za-z][A-Za-z-]*")  # WebDAV's VERSION-CONTROL, UPnP's M-SEARCH; scanners send anything
_ABSENT = "-"
_LIBRARY = "leadstream-send"


def parse(line: str, message_id: str) -> dict[str, Any] | None:
    """Turn a line into an event; None where it is no line of the combined format.

    A GET answered 2xx or 3xx is a `page`, anything else a `track` of the event `Request`. The device id is made of
    address and user agent.
    """
    found = _LINE.match(line)
    if not found:
        return None
    address, time, request, status, size, referrer, agent = found.groups()
    timestamp = _instant(time)
    if timestamp is None or _HOST_AND_PORT.fullmatch(address):
        return None
    method, path, search = _request(_unescaped(request))
    referrer, agent = _unescaped(referrer), _unescaped(agent)
    seen = method == "GET" and status[0] in "23"
    page = {"path": path, "search": search, "referrer": _present(referrer)}
    return {
        "messageId": message_id,
        **({"type": "page"} if seen else {"type": "track", "event": "Request"}),
        "anonymousId": device(address, agent),
        "context": _filled({"ip": address, "userAgent": _present(agent), "page": _filled(page), "library": {"name": _LIBRARY}}),
        "properties": _filled({"method": method, "status": int(status), "bytes": None if size == _ABSENT else int(size)}),
        "timestamp": timestamp,
    }


def device(address: str, agent: str) -> str:
    """Make a device id of an address and a user agent: 16 hexadecimal digits."""
    return hashlib.sha256(f"{address}\n{agent}".encode()).hexdigest()[:16]


def _instant(text: str) -> str | None:
    """Read `22/Nov/2026:10:00:00 +0100`; month names are English whatever the locale."""
    found = _TIME.fullmatch(text)
    if not found or found[2] not in _MONTHS:
        return None
    day, _, year, hour, minute, second, sign, hours, minutes = found.groups()
    offset = timedelta(hours=int(hours), minutes=int(minutes)) * (-1 if sign == "-" else 1)
    try:
        local = datetime(int(year), _MONTHS[found[2]], int(day), int(hour), int(minute), int(second), tzinfo=timezone(offset))
        return local.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    except (ValueError, OverflowError):  # in UTC it may be before the year 1, or behind 9999
        return None


def _request(text: str) -> tuple[str | None, str | None, str | None]:
    """Split `GET /path?search HTTP/1.1` into method, path and search."""
    method, _, rest = text.partition(" ")
    if not rest or not _METHOD.fullmatch(method):
        return None, None, None
    target = rest.rsplit(" HTTP/", 1)[0]
    path, mark, query = target.partition("?")
    return method, path, mark + query if query else None


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(r"\1", text) if "\\" in text else text


def _present(text: str) -> str | None:
    return None if text in {_ABSENT, ""} else text


def _filled(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
