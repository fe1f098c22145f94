"""A simulation shared by processes gives what one process gives, byte for byte, and never ends in silence."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner

from stream.ahead import ReadAhead, reading
from stream.cli import simulate as command
from stream.domain.documents import TooEarly
from stream.domain.instants import write
from stream.domain.ruleset.load import load
from stream.errors import CommandError, UsageError
from stream.intake import Intake
from stream.lookups import Lookups
from stream.simulation import Simulation
from tests.oracle.journeys import Journey, journey
from tests.told import BEHAVIOURS, LADDER, MINUTE, START, rules

ECHO = {"event": "Lead Stage Changed", "properties": {"stage": "mql", "changedBy": "leadstream"}}
DWELL = '[dwell]\nproperty = "dwell_s"\nsteps = [[0, 0.5], [10, 1.5]]\n'


def line(number: int, **more: Any) -> bytes:
    event = {"type": "track", "event": "Asked", "anonymousId": f"v{number % 7}", "messageId": f"m{number}"} | more
    return orjson.dumps({"timestamp": write(START + number * MINUTE)} | event) + b"\n"


LINES = [
    *(line(n, properties={"dwell_s": n, "topic": f"t{n % 3}"}) for n in range(40)),
    line(40, timestamp=None),  # received when the line before was
    line(41, timestamp="soon"),
    line(42, timestamp=None, **ECHO),
    line(43, timestamp="soon", **ECHO),
    line(44, timestamp=None, anonymousId="late"),
    line(45, type="party"),
    b"{\n",
    line(46, userId="42", context={"page": {"url": "https://x.example/pricing"}, "channel": "web"}),
    line(47, type="identify", anonymousId="v1", traits={"email": "buyer@acme.example"}),
    line(48, context={"userAgent": "Googlebot/2.1"}),
    line(49, type="group", groupId="g1", traits={"name": "Acme"}),
    line(50, userId="42", anonymousId="v6"),
    line(51, anonymousId="v6", context={"externalIds": [{"type": "weibo", "id": "w"}]}),
    line(52, anonymousId="v5"),
    line(53, anonymousId="v6"),
]


@pytest.fixture(scope="module")
def lookups() -> Lookups:
    return Lookups()


def simulation(lookups: Lookups) -> Simulation:
    ruleset = rules(BEHAVIOURS + DWELL + LADDER)
    return Simulation(ruleset, Intake(lookups, None, {stage.name for stage in ruleset.stages}))


def chunks(lines: list[bytes], size: int) -> Iterator[list[bytes]]:
    return (lines[at : at + size] for at in range(0, len(lines), size))


def alone(one: Simulation, lines: list[bytes], at: int | None = None) -> bytes:
    for each in lines:
        one.feed(each)
    return orjson.dumps(one.finish(at))


def shared(one: Simulation, parts: Iterator[list[bytes]], at: int | None = None) -> bytes:
    with ReadAhead(one, parts) as ahead:
        ahead.run(lambda _: None)
        return orjson.dumps(ahead.finish(at))


# -- the same result


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_the_same_document_comes_out_whatever_the_parts(lookups: Lookups, size: int) -> None:
    one = simulation(lookups)
    expected = alone(one, LINES)
    assert one.lines.rejected
    assert shared(simulation(lookups), chunks(LINES, size)) == expected


@pytest.mark.parametrize("seed", range(6))
def test_people_who_keep_running_into_each_other_become_the_same(seed: int, tmp_path: Path) -> None:
    told = journey(seed)
    ranges = tmp_path / "ranges.csv"
    ranges.write_text(told.ranges, encoding="utf-8")
    companies, lines = Lookups(ranges), list(told.lines)
    expected = alone(_of(told, companies), lines, told.at)
    assert b'"lead":"lead_' in expected
    assert shared(_of(told, companies), chunks(lines, 1 + seed * 5), told.at) == expected


def _of(told: Journey, companies: Lookups) -> Simulation:
    ruleset = load(told.ruleset)
    return Simulation(ruleset, Intake(companies, None, {"visitor", *(stage.name for stage in ruleset.stages)}))


@pytest.mark.parametrize("words", [("events.ndjson",), ("-",), ("events.ndjson", "-", "events.ndjson")])
def test_the_command_gives_the_same_bytes_with_and_without(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("events.ndjson").write_bytes(b"".join(LINES))
    monkeypatch.setattr(command, "STEP", 1_000)
    told = []
    for small in (1_000_000, 2_000):
        monkeypatch.setattr(command, "SMALL", small)
        monkeypatch.setattr(ReadAhead, "pays", staticmethod(lambda: True))
        result = CliRunner().invoke(command.simulate, ["--json", *words], input=b"".join(LINES[30:]))
        assert result.exit_code == 0
        told.append(result.stdout_bytes)
    assert told[0] == told[1]


def test_standard_input_is_read_by_another_process_though_that_closes_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    file = tmp_path / "events.ndjson"
    file.write_bytes(b"".join(LINES))
    expected = CliRunner().invoke(command.simulate, ["--json", str(file)]).stdout_bytes
    monkeypatch.setattr(command, "SMALL", 0)
    assert command.simulate.callback is not None
    with file.open("rb") as raw:
        monkeypatch.setattr(sys, "stdin", TextIOWrapper(raw))  # as a shell connects it
        command.simulate.callback(("-",), None, None, None, as_json=True)
    assert capfdbinary.readouterr().out == expected


def test_a_person_reads_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "events.ndjson"
    file.write_bytes(b"".join(LINES))
    told = []
    for small in (1_000_000, 0):
        monkeypatch.setattr(command, "SMALL", small)
        told.append(CliRunner().invoke(command.simulate, [str(file)]).stdout)
    assert told[0] == told[1]


def test_how_much_was_read_is_told(lookups: Lookups) -> None:
    told: list[int] = []
    with ReadAhead(simulation(lookups), chunks(LINES, 20)) as ahead:
        ahead.run(told.append)
    assert sum(told) == len(b"".join(LINES))


# -- when it is worth it


def test_a_few_lines_and_a_single_processor_start_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any) -> None:
        raise AssertionError

    file = tmp_path / "events.ndjson"
    file.write_bytes(b"".join(LINES))
    monkeypatch.setattr(ReadAhead, "__init__", never)
    assert CliRunner().invoke(command.simulate, [str(file)]).exit_code == 0
    monkeypatch.setattr(ReadAhead, "pays", staticmethod(lambda: False))
    monkeypatch.setattr(command, "SMALL", 0)
    assert CliRunner().invoke(command.simulate, [str(file)]).exit_code == 0


@pytest.mark.parametrize(("processors", "pays"), [(1, False), (2, True)])
def test_it_pays_with_a_second_processor(processors: int, monkeypatch: pytest.MonkeyPatch, *, pays: bool) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(processors)))
    assert ReadAhead.pays() is pays


# -- when something goes wrong


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("events.ndjson").write_bytes(b"".join(LINES))
    monkeypatch.setattr(command, "SMALL", 0)
    result = CliRunner().invoke(command.simulate, ["events.ndjson", "missing.ndjson"])
    assert isinstance(result.exception, UsageError)
    assert str(result.exception).startswith("missing.ndjson: No such file")


def test_an_end_before_the_clock_is_refused(lookups: Lookups) -> None:
    with pytest.raises(TooEarly):
        shared(simulation(lookups), chunks(LINES, 20), at=START)


def test_a_mistake_of_ours_in_the_reader_ends_it_all(lookups: Lookups, capfd: pytest.CaptureFixture[str]) -> None:
    def broken() -> Iterator[list[bytes]]:
        yield LINES
        raise ZeroDivisionError

    with pytest.raises(CommandError, match=r"before its time \(.*reader: exit code 1"):
        shared(simulation(lookups), broken())
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_a_mistake_of_ours_in_a_keeper_ends_it_all(
    lookups: Lookups, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "is_device", lambda *_: True)  # a registration is no device: somebody listens to it
    with pytest.raises(CommandError, match="keeper"):
        shared(simulation(lookups), chunks([line(1, anonymousId=None, userId="7")], 1))
    assert "somebody listens to user::7" in capfd.readouterr().err


@pytest.mark.parametrize("name", ["reader", "keeper 1", "keeper 2"])
def test_a_process_that_is_killed_ends_it_all_with_its_name(lookups: Lookups, name: str) -> None:
    with pytest.raises(CommandError, match=f"{name}: exit code -9"), ReadAhead(simulation(lookups), _endless()) as ahead:
        ahead.run(lambda _: _kill(ahead, name))


@pytest.mark.parametrize("error", [KeyboardInterrupt, BrokenPipeError])
def test_no_process_outlives_one_that_is_stopped(lookups: Lookups, error: type[BaseException]) -> None:
    def stop(_: int) -> None:
        raise error

    with pytest.raises(error), ReadAhead(simulation(lookups), _endless()) as ahead:
        ahead.run(stop)
    assert all(process.exitcode for process in ahead._processes.values())


def test_no_process_outlives_one_that_is_killed_while_it_waits_for_input(lookups: Lookups) -> None:
    def waits() -> Iterator[list[bytes]]:
        threading.Event().wait()
        yield []

    with ReadAhead(simulation(lookups), waits()) as ahead:
        ahead._alive.close()  # as the kernel does when a process ends
        for process in ahead._processes.values():
            process.join(30)
            assert process.exitcode == 1


def test_ctrl_c_is_for_the_one_that_was_called(lookups: Lookups) -> None:
    told: list[int] = []
    with ReadAhead(simulation(lookups), chunks(LINES, 20)) as ahead:
        ahead.run(told.append)  # they are at work
        for process in ahead._processes.values():
            if process.is_alive() and process.pid is not None:
                os.kill(process.pid, signal.SIGINT)
        assert ahead.finish()["visitors"]


def _endless() -> Iterator[list[bytes]]:
    while True:
        yield LINES


def _kill(ahead: ReadAhead, name: str) -> None:
    process = ahead._processes[name]
    if process.is_alive() and process.pid is not None:
        os.kill(process.pid, signal.SIGKILL)
        process.join()
