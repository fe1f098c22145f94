"""Why workers ended, counted in a file that outlives them."""

from pathlib import Path

import pytest
from aiokafka.errors import KafkaConnectionError, KafkaTimeoutError

from stream.ops.metrics import Metrics
from stream.runtime import fatal
from stream.runtime.exits import REASONS, Exits, reason_of
from stream.runtime.fatal import Gap, Misfit, SecondWriter
from stream.runtime.stalls import Stalled
from stream.runtime.watchdog import Stale


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        (SecondWriter("a second writer"), "second_writer"),
        (Stale("stood still"), "stood_still"),
        (Stalled("nothing fetched"), "hang"),
        (TimeoutError("Kafka has acknowledged nothing"), "kafka"),
        (KafkaConnectionError(), "kafka"),
        (KafkaTimeoutError(), "kafka"),
        (Gap("missing"), "gap"),
        (Misfit("recreated"), "misfit"),
        (AssertionError("a bug"), "bug"),
        (None, "bug"),
    ],
    ids=repr,
)
def test_each_end_has_a_word(cause: BaseException | None, reason: str) -> None:
    assert reason_of(cause) == reason


def test_ends_are_counted_over_processes(tmp_path: Path) -> None:
    path = tmp_path / "not" / "there" / "exits"
    Exits(path).note(SecondWriter())
    Exits(path).note(SecondWriter())
    Exits(path).note(None)
    assert Exits(path).counts() == {"second_writer": 2, "bug": 1}


def test_what_else_stands_in_the_file_is_no_reason(tmp_path: Path) -> None:
    path = tmp_path / "exits"
    path.write_text("second_writer\nnonsense\n")
    assert Exits(path).counts() == {"second_writer": 1}


def test_without_a_path_nothing_is_kept() -> None:
    Exits(None).note(SecondWriter())
    assert Exits(None).counts() == {}


def test_a_file_that_cannot_be_written_keeps_nobody(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    Exits(tmp_path).note(SecondWriter())
    assert "cannot be written" in capfd.readouterr().err


def test_a_worker_that_ends_itself_notes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Ended(BaseException):
        """Instead of the process's end."""

    def end(_code: int) -> None:
        raise Ended

    monkeypatch.setattr("stream.runtime.fatal.os._exit", end)
    exits = fatal.remember_exits(tmp_path / "exits")
    try:
        with pytest.raises(Ended):
            fatal.die(SecondWriter("somebody"))
    finally:
        fatal.remember_exits(None)
    assert exits.counts() == {"second_writer": 1}


def test_metrics_tell_what_former_processes_counted() -> None:
    metrics = Metrics()
    metrics.exited({"second_writer": 2})
    told = {reason: metrics.registry.get_sample_value("leadstream_exits_total", {"reason": reason}) for reason in REASONS}
    assert told == dict.fromkeys(REASONS, 0.0) | {"second_writer": 2.0}
