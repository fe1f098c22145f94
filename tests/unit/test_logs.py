"""Logs: one line an entry, for people or for programs."""

import logging
import logging.config
import sys
from collections.abc import Iterator

import orjson
import pytest

from stream.logs import config, json_lines


@pytest.fixture(autouse=True)
def _loggers_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    for name in ("aiokafka", "asyncio", "faust", "mode"):
        logging.getLogger(name).setLevel(logging.NOTSET)


def _fail() -> None:
    raise ValueError("why")


def _record(error: BaseException | None = None) -> logging.LogRecord:
    info = (type(error), error, error.__traceback__) if error else None
    record = logging.LogRecord("stream.worker", logging.INFO, "file", 1, "ready: %d rows\nand more", (3,), info)
    record.created = 1_795_600_800.5
    return record


def test_a_json_entry_is_one_line() -> None:
    line = json_lines().format(_record())

    assert "\n" not in line
    assert orjson.loads(line) == {
        "at": "2026-11-25T10:00:00.500Z",
        "level": "info",
        "logger": "stream.worker",
        "message": "ready: 3 rows\nand more",
    }


def test_what_an_entry_carries_stands_beside_its_message() -> None:
    record = _record()
    record.rows = 3

    assert orjson.loads(json_lines().format(record))["rows"] == 3


def test_a_traceback_stays_inside_its_line() -> None:
    try:
        _fail()
    except ValueError:
        error = sys.exception()

    line = json_lines().format(_record(error))

    assert "\n" not in line
    assert orjson.loads(line)["error"].endswith("ValueError: why")


def test_services_are_not_heard_below_warning_unless_debugging(capsys: pytest.CaptureFixture[str]) -> None:
    for level in ("info", "debug"):
        logging.config.dictConfig(config(level, "console"))
        logging.getLogger("stream.runtime").info("[^--App]: Starting at %s", level)
        logging.getLogger("stream.runtime").warning("[^--App]: Trouble at %s", level)

    told = capsys.readouterr().err
    assert "Starting at info" not in told
    assert "Starting at debug" in told
    assert told.count("Trouble") == 2


@pytest.mark.parametrize(
    ("level", "ours", "theirs"),
    [("info", True, False), ("warning", False, False), ("debug", True, True)],
)
def test_libraries_are_heard_below_warning_only_when_debugging(level: str, ours: bool, theirs: bool) -> None:  # noqa: FBT001
    logging.config.dictConfig(config(level, "console"))

    assert logging.getLogger("stream.worker").isEnabledFor(logging.INFO) is ours
    assert logging.getLogger("faust.worker").isEnabledFor(logging.INFO) is theirs
    assert logging.getLogger("mode").isEnabledFor(logging.WARNING)
