"""What is seen of a line at a glance is what reading it would say, and each is received when it would be in one process."""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from schemas.event import Rejected
from stream.ahead.routing import Router
from stream.ahead.skimming import cookie_of, tells_time
from stream.domain.event import Event
from stream.domain.instants import write
from stream.intake import Intake
from stream.lookups import Lookups
from stream.recorded import Lines
from tests.oracle.journeys import journey
from tests.told import START, rules

TIME = b'"timestamp":"2026-01-05T00:00:00Z"'
ECHO = {"event": "Lead Stage Changed", "properties": {"stage": "mql", "changedBy": "leadstream"}}


@pytest.fixture(scope="module")
def intake() -> Intake:
    return Intake(Lookups())


# -- at a glance


@pytest.mark.parametrize(
    "line",
    [
        b'{"type":"page","anonymousId":"a",%s}',
        b'{"type":"page","anonymousId":" a\\t",%s}\r\n',
        b'{"type":"page","anonymousId":"\\u0061",%s}\n',
        b'{"type":"page","anonymousId":"b","anonymousId":"a","userId":null,%s}',
        b'{"type":"track","event":"Asked","anonymousId":"a","context":{"externalIds":null,"traits":{"email":"x@y.example"}},%s}',
        b'{"type":"group","groupId":"g","anonymousId":"a","traits":{"email":"x@y.example"},%s}',
        b'{"type":"screen","anonymousId":"a","previousId":"b","integrations":{"All":[[[1]]]},%s}',
    ],
)
def test_a_line_of_a_cookie_alone_is_known_at_a_glance(line: bytes, intake: Intake) -> None:
    line = line.replace(b"%s", TIME)
    assert cookie_of(line) == "anon::a"
    event = _event(intake, line)
    assert (event.node, event.links, event.r) == ("anon::a", (), START)


@pytest.mark.parametrize(
    "line",
    [
        b'{"type":"page","anonymousId":"a","userId":"7",%s}',
        b'{"type":"page","anonymousId":"a","user\\u0049d":"7",%s}',
        b'{"type":"page","anonymousId":"a","userId":"7","userId":null,%s}',
        b'{"type":"page","anonymousId":"a","userId":null,"userId":"7",%s}',
        b'{"type":"page","anonymousId":7,%s}',
        b'{"type":"page","anonymousId":"a","context":{"externalIds":[{"type":"email","id":"x@y.example"}]},%s}',
        b'{"type":"page","anonymousId":"a","context":{"external\\u0049ds":[{"type":"email","id":"x@y.example"}]},%s}',
        b'{"type":"page","anonymousId":"a","context":{"externalIds":[{"type":"crm_lead_id","id":7}]},"context":{},%s}',
        b'{"type":"identify","anonymousId":"a","traits":{"email":"x@y.example"},%s}',
        b'{"type":"alias","anonymousId":"a","previousId":"b",%s}',
        b'{"type":"page","anonymousId":"a"}',
        b'{"type":"page","anonymousId":"a","timestamp":5}',
        b'{"type":"track","event":"Lead Stage Changed","anonymousId":"a","properties":{"stage":"mql"},%s}',
        b'{"type":"page","anonymousId":"a","context":[],%s}',
        b'{"type":"page","anonymousId":"a\xff",%s}',
        b'{"type":"page","anonymousId":"a","properties":' + b"[" * 100_000 + b"]" * 100_000 + b",%s}",
        b'\xef\xbb\xbf{"type":"page","anonymousId":"a",%s}',
        b'"page"',
        b"{",
        b"",
    ],
)  # fmt: skip
def test_any_other_must_be_read(line: bytes) -> None:
    assert cookie_of(line.replace(b"%s", TIME)) is None


@pytest.mark.parametrize("seed", range(40))
def test_what_is_seen_at_a_glance_is_what_reading_says(seed: int, intake: Intake) -> None:
    for line in journey(seed).lines:
        node = cookie_of(line)
        event = intake.read_line(line.rstrip(b"\r\n"), None)
        if node is not None and isinstance(event, Event):
            assert (event.node, event.links) == (node, ())
        if node is not None or tells_time(line):
            assert _told(event) == _told(intake.read_line(line.rstrip(b"\r\n"), START))


def _told(event: Event | Rejected) -> object:
    return (event.node, event.t, event.r, event.message) if isinstance(event, Event) else event


def _event(intake: Intake, line: bytes) -> Event:
    event = intake.read_line(line.rstrip(b"\r\n"), None)
    assert isinstance(event, Event)
    return event


# -- received when the line before was


def line(time: int | str | None, **more: Any) -> bytes:
    told = write(time) if isinstance(time, int) else time
    return orjson.dumps({"type": "track", "event": "Asked", "anonymousId": "a", "timestamp": told} | more)


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        pytest.param([line(START), line(START + 5)], START + 5, id="a keeper's"),
        pytest.param([line(START), line(START + 5, userId="7")], START + 5, id="one of who decides"),
        pytest.param([line(START, userId="7"), line(START + 5)], START + 5, id="a keeper's behind one of who decides"),
        pytest.param([line(START), line("soon")], START, id="a keeper's dead letter is passed over"),
        pytest.param([line(START), line(START + 5, type="party"), line("soon")], START, id="each kind of dead letter is"),
        pytest.param([line(START + 5), line(START)], START, id="not the largest"),
        pytest.param([line(START), line(None, anonymousId="b"), line("soon")], START, id="one that took it from its own"),
        pytest.param([line(START), line("soon", **ECHO), line("soon")], START, id="an echo of ours with a bad time"),
        pytest.param([line(START, userId="7"), line("soon", userId="7"), line(START + 5), line("soon")], START + 5, id="mixed"),
        pytest.param([line("soon"), line("soon", userId="7")], None, id="nobody told a time"),
    ],
)
@pytest.mark.parametrize("last", [line(None, anonymousId="last"), line(None, userId="9")], ids=["a keeper's", "a person's"])
@pytest.mark.parametrize("size", [1, 2, 100])
def test_a_line_without_a_time_was_received_when_the_last_good_one_before(
    before: list[bytes], expected: int | None, size: int, last: bytes, intake: Intake
) -> None:
    lines = [*before, last]
    alone = {number: event.r for number, event in _read(Lines(intake), lines) if not event.echo}
    assert _received(intake, lines, size) == alone
    assert alone.get(len(lines)) == expected


def _read(reader: Lines, lines: list[bytes]) -> Iterator[tuple[int, Event]]:
    for number, each in enumerate(lines, 1):
        event = reader.read(each)
        if event is not None:
            yield number, event


def _received(intake: Intake, lines: list[bytes], size: int) -> dict[int, int]:
    """Return when each line was received, by its number, as the keepers and the one who decides find it."""
    router = Router(Lines(intake), rules(), 2)
    received: dict[int, int] = {}
    for at in range(0, len(lines), size):
        parts, decided = router.sort(lines[at : at + size])
        received |= {number: event.r for event, number in decided.events}
        for part in parts:
            reader = Lines(intake)
            for index, number in enumerate(part.numbers):
                event = reader.read_at(number, part.lines[index], part.before.get(index))
                if event is not None:
                    received[number] = event.r
    return received
