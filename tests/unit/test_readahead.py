"""A simulation shared by processes gives what one process gives, byte for byte, and never ends in silence."""

import os
import signal
import sys
from collections.abc import Iterator
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner

from stream.ahead import ReadAhead, processes, routing, skimming
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


@pytest.mark.parametrize(("size", "keepers"), [(1, 2), (7, 1), (7, 2), (7, 3), (1000, 2)])
def test_the_same_document_comes_out_whatever_the_parts(
    lookups: Lookups, size: int, keepers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "keepers", lambda: keepers)
    one = simulation(lookups)
    expected = alone(one, LINES)
    assert one.lines.rejected
    assert shared(simulation(lookups), chunks(LINES, size)) == expected


def test_dead_letters_come_in_the_order_of_their_lines_whoever_found_them(lookups: Lookups) -> None:
    lines = [line(n, timestamp="soon", userId="42" if n % 5 == 0 else None) for n in range(50)]
    one = simulation(lookups)
    expected = alone(one, lines)
    assert [letter["line"] for letter in one.lines.rejected] == list(range(1, 51))
    assert shared(simulation(lookups), chunks(lines, 20)) == expected


def test_rows_that_move_are_more_than_fits_between_two_processes(lookups: Lookups) -> None:
    """Who decides gives a keeper megabytes while that has megabytes to tell: neither may wait to be heard first."""
    told = {"context": {"traits": {f"t{n}": "x" * 1_000 for n in range(15)}}}
    big = [line(n, anonymousId=f"big{n}", **told) for n in range(200)]
    moves = [line(1_000 + n, anonymousId=f"big{n}", userId="42") for n in range(200)]
    keeps_busy = [line(2_000 + n, anonymousId=f"busy{n}", **told) for n in range(200)]
    much = [line(3_000 + n, anonymousId=f"more{n}", properties={"much": "y" * 100_000}) for n in range(60)]
    expected = alone(simulation(lookups), [*big, *moves, *keeps_busy, *much])
    assert shared(simulation(lookups), iter([big, moves + keeps_busy, much])) == expected


def test_the_end_is_the_largest_receive_time_whoever_read_it(lookups: Lookups) -> None:
    lines = [line(1, userId="42"), line(9), line(5, anonymousId="v3"), line(2, userId="42")]
    expected = alone(simulation(lookups), lines)
    assert orjson.loads(expected)["visitors"][0]["asOf"] == write(START + 9 * MINUTE)
    assert shared(simulation(lookups), chunks(lines, 10)) == expected


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


def test_odd_lines_of_several_files_give_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line longer than a chunk, and longer than is allowed; CRLF, blank, cut off, not UTF-8; a file that ends in the middle."""
    long, longer = ({"properties": {"much": "y" * size}} for size in (20_000, 300_000))
    odd = [
        b"\xef\xbb\xbf" + LINES[0],
        *(each.replace(b"\n", b"\r\n") for each in LINES[1:30]),
        b"\n",
        b"\r\n",
        line(30, **long),
        line(31, **longer),
        line(32, timestamp=None, **long),
        line(33, timestamp=None, anonymousId="v\u4e2d"),
        line(34).replace(b"v6", b"v\xff"),
        line(35, userId="42", anonymousId="v2", **long),
        line(36, timestamp=None, anonymousId="v3").strip(),
    ]
    files = [str(tmp_path / name) for name in ("one.ndjson", "empty.ndjson", "two.ndjson")]
    for file, lines in zip(files, (odd, [], LINES), strict=True):
        Path(file).write_bytes(b"".join(lines))
    monkeypatch.setattr(command, "STEP", 1_000)
    assert len({_said(files, small, monkeypatch) for small in (10_000_000, 2_000, 0)}) == 1


def _said(files: list[str], small: int, monkeypatch: pytest.MonkeyPatch) -> bytes:
    monkeypatch.setattr(command, "SMALL", small)
    monkeypatch.setattr(ReadAhead, "pays", staticmethod(lambda: True))
    result = CliRunner().invoke(command.simulate, ["--json", *files])
    assert result.exit_code == 0
    assert len(orjson.loads(result.stdout_bytes)["deadLetters"]) > 5
    return result.stdout_bytes


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


def test_standard_input_is_read_on_though_other_processes_close_theirs(
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


@pytest.mark.parametrize(("has", "keepers"), [(1, 2), (2, 2), (3, 2), (4, 3), (5, 4), (64, 4)])
def test_there_are_as_many_processes_as_processors_but_as_many_as_one_can_give_lines(
    has: int, keepers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(has)))
    assert processes.keepers() == keepers


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


def test_a_mistake_of_ours_while_reading_ends_it_all(lookups: Lookups) -> None:
    def broken() -> Iterator[list[bytes]]:
        yield LINES
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), ReadAhead(simulation(lookups), broken()) as ahead:
        ahead.run(lambda _: None)
    assert all(keeper.process.exitcode for keeper in ahead._keepers)


def test_a_mistake_of_ours_in_a_keeper_ends_it_all(
    lookups: Lookups, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routing, "is_device", lambda *_: True)  # a registration is no device: somebody listens to it
    with pytest.raises(CommandError, match=r"before its time \(keeper .: exit code 1"):
        shared(simulation(lookups), chunks([line(1, anonymousId=None, userId="7")], 1))
    assert "somebody listens to user::7" in capfd.readouterr().err


@pytest.mark.parametrize("name", ["keeper 1", "keeper 2"])
@pytest.mark.parametrize("busy", [0, 1])
def test_a_process_that_is_killed_ends_it_all_with_its_name(
    lookups: Lookups, name: str, busy: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that no line is for: whose a visitor is differs from process to process, and a file may name only few."""
    monkeypatch.setattr(processes, "keepers", lambda: 2)
    lines = [line(n, anonymousId=f"of one {n}") for n in range(50)]
    busy_lines = [each for each in lines if hash(skimming.cookie_of(each)) % 2 == busy]
    assert busy_lines
    with (
        pytest.raises(CommandError, match=f"{name}: exit code -9"),
        ReadAhead(simulation(lookups), _endless(busy_lines)) as ahead,
    ):
        ahead.run(lambda _: _kill(ahead, name))


@pytest.mark.parametrize("name", ["keeper 1", "keeper 2"])
def test_a_process_that_is_killed_before_it_gave_its_documents_is_missed(lookups: Lookups, name: str) -> None:
    with ReadAhead(simulation(lookups), chunks(LINES, 20)) as ahead:
        ahead.run(lambda _: None)
        _kill(ahead, name)
        with pytest.raises(CommandError, match=f"{name}: exit code -9"):
            ahead.finish()


@pytest.mark.parametrize("error", [KeyboardInterrupt, BrokenPipeError])
def test_no_process_outlives_one_that_is_stopped(lookups: Lookups, error: type[BaseException]) -> None:
    def stop(_: int) -> None:
        raise error

    with pytest.raises(error), ReadAhead(simulation(lookups), _endless()) as ahead:
        ahead.run(stop)
    assert all(keeper.process.exitcode for keeper in ahead._keepers)


def test_no_process_outlives_the_one_that_was_called(lookups: Lookups) -> None:
    with ReadAhead(simulation(lookups), _endless()) as ahead:
        for keeper in ahead._keepers:
            keeper._given.close()  # as the kernel does when a process ends
            keeper.process.join(30)
            assert keeper.process.exitcode == 1


def test_ctrl_c_is_for_the_one_that_was_called(lookups: Lookups) -> None:
    told: list[int] = []
    with ReadAhead(simulation(lookups), chunks(LINES, 20)) as ahead:
        ahead.run(told.append)  # they are at work
        for keeper in ahead._keepers:
            if keeper.process.is_alive() and keeper.process.pid is not None:
                os.kill(keeper.process.pid, signal.SIGINT)
        assert ahead.finish()["visitors"]


def _endless(lines: list[bytes] = LINES) -> Iterator[list[bytes]]:
    while True:
        yield lines


def _kill(ahead: ReadAhead, name: str) -> None:
    process = next(keeper.process for keeper in ahead._keepers if keeper.name == name)
    if process.is_alive() and process.pid is not None:
        os.kill(process.pid, signal.SIGKILL)
        process.join()
