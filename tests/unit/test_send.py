"""`send --as-recorded`: when each line was received."""

import orjson
import pytest

from stream.cli.send import Recorder

EARLY, LATE = "2026-11-22T10:00:00.000Z", "2026-11-22T11:00:00.000Z"


def _line(**members: object) -> bytes:
    return orjson.dumps({"type": "page", "anonymousId": "a"} | members)


@pytest.mark.parametrize(
    ("members", "received"),
    [
        pytest.param({"receivedAt": EARLY, "timestamp": LATE}, EARLY, id="it says so"),
        pytest.param({"timestamp": EARLY, "sentAt": LATE}, EARLY, id="else its time"),
        pytest.param({"sentAt": EARLY, "originalTimestamp": LATE}, EARLY, id="else when it was sent"),
        pytest.param({"originalTimestamp": EARLY}, EARLY, id="else the device's time"),
        pytest.param({"receivedAt": None, "timestamp": EARLY}, EARLY, id="null is missing"),
    ],
)
def test_a_line_was_received_when(members: dict[str, object], received: str) -> None:
    assert orjson.loads(Recorder().stamp(_line(**members)))["receivedAt"] == received


def test_a_line_without_any_time_was_received_with_the_good_one_before() -> None:
    recorder = Recorder()
    recorder.stamp(_line(timestamp=EARLY))
    recorder.stamp(b"nonsense")
    recorder.stamp(orjson.dumps({"type": "page", "timestamp": LATE}))

    assert orjson.loads(recorder.stamp(_line()))["receivedAt"] == EARLY


def test_what_is_told_already_or_will_be_a_dead_letter_keeps_its_bytes() -> None:
    recorder = Recorder()
    told = b'{ "type":"page", "anonymousId":"a", "receivedAt":"2026-11-22T10:00:00.000Z" }'

    assert recorder.stamp(told) == told
    for line in (b"", b"nonsense", b"[]", _line(timestamp="yesterday")):
        assert recorder.stamp(line) == line


def test_a_first_line_without_any_time_stays_as_it_is() -> None:
    assert Recorder().stamp(_line()) == _line()
