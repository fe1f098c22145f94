"""`send --as-recorded`: when each line was received. And what can be read at all."""

import asyncio
import io
import os
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner

from stream.cli import send as sending
from stream.cli.send import Recorder, send
from stream.errors import UsageError

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
        pytest.param({"receivedAt": 5, "timestamp": EARLY}, EARLY, id="what is no text is ignored"),
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


@pytest.mark.parametrize(
    "refused",
    [
        pytest.param({"timestamp": "0000-01-01T00:00:00Z"}, id="a year that cannot be written"),
        pytest.param({"timestamp": "0001-01-01T00:00:00+10:00"}, id="before the first year"),
        pytest.param({"timestamp": "1999-12-31T00:00:00Z"}, id="before 2000"),
        pytest.param({"receivedAt": LATE, "timestamp": "yesterday"}, id="received, but no time"),
    ],
)
def test_a_line_that_will_be_a_dead_letter_is_not_the_line_before(refused: dict[str, object]) -> None:
    recorder = Recorder()
    recorder.stamp(_line(timestamp=EARLY))

    assert recorder.stamp(_line(**refused)) == _line(**refused)
    assert orjson.loads(recorder.stamp(_line()))["receivedAt"] == EARLY


def test_the_line_before_may_be_an_echo_or_one_whose_only_id_is_a_number_of_the_region() -> None:
    echo = {"type": "track", "event": "Lead Stage Changed", "timestamp": EARLY, "properties": {"changedBy": "leadstream"}}
    phone = {"type": "identify", "traits": {"phone": "030 901820"}, "timestamp": EARLY}
    for before in (echo, phone):
        recorder = Recorder("DE")
        recorder.stamp(orjson.dumps(before))
        assert orjson.loads(recorder.stamp(_line()))["receivedAt"] == EARLY


def test_a_first_line_without_any_time_stays_as_it_is() -> None:
    assert Recorder().stamp(_line()) == _line()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("/nowhere", "/nowhere is no file that can be read: name existing files"),
        (".", ". is no file that can be read"),
        ("x" * 300, "File name too long: name files that can be read"),
        ("secret.ndjson", "secret.ndjson: Permission denied: name files that can be read"),
    ],
    ids=["none", "a folder", "too long a name", "not ours"],
)
def test_a_file_that_cannot_be_read_is_told_before_anything_is_sent(
    name: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("secret.ndjson").touch()
    opened = Path.open

    def refusing(path: Path, *how: Any) -> Any:  # root may read what nobody may
        if path.name == "secret.ndjson":
            raise PermissionError(13, os.strerror(13), str(path))
        return opened(path, *how)

    monkeypatch.setattr(Path, "open", refusing)
    error = CliRunner().invoke(send, [name]).exception
    assert isinstance(error, UsageError), error
    assert told in str(error)


def test_a_closed_standard_input_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(UsageError, match="- is no file that can be read"):
        sending._require_readable("-")


def test_standard_input_is_read_while_ctrl_c_still_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within `asyncio.run` the first one only asks the loop to end, and the loop waits for what is typed."""

    class Typed(io.BytesIO):
        def read(self, *how: Any) -> bytes:
            with pytest.raises(RuntimeError, match="no running event loop"):
                asyncio.get_running_loop()
            return super().read(*how)

    sent: list[bytes] = []

    async def take(_: Any, __: Any, standard_input: io.BytesIO, *___: Any, **____: Any) -> None:
        standard_input.seek(0)
        sent.append(standard_input.read())

    async def nothing(_: object) -> None: ...

    def run(work: Coroutine[Any, Any, Any], *_: Any) -> Any:
        return asyncio.run(work)

    monkeypatch.setattr(sending, "_send", take)
    monkeypatch.setattr(sending, "_require_events", nothing)
    monkeypatch.setattr(sending, "run", run)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(Typed(b"{}\n")))
    with pytest.raises(SystemExit) as ended:
        send.main(["-"])
    assert (ended.value.code, sent) == (0, [b"{}\n"])
