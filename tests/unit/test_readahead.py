"""Reading ahead in a second process gives what reading line by line gives."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner

from schemas.event import Rejected
from stream.cli import simulate as command
from stream.domain.event import Event
from stream.domain.instants import write
from stream.intake import Intake
from stream.lookups import Lookups
from stream.readahead import ReadAhead
from stream.simulation import Simulation
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
]


@pytest.fixture(scope="module")
def lookups() -> Lookups:
    return Lookups()


def simulation(lookups: Lookups) -> Simulation:
    ruleset = rules(BEHAVIOURS + DWELL + LADDER)
    return Simulation(ruleset, Intake(lookups, None, {stage.name for stage in ruleset.stages}))


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_the_same_document_comes_out_whatever_the_chunks(lookups: Lookups, size: int) -> None:
    here, ahead = simulation(lookups), simulation(lookups)
    for each in LINES:
        here.feed(each)
    with ReadAhead(ahead.look) as reader:
        for lines, answers in reader.read(LINES[at : at + size] for at in range(0, len(LINES), size)):
            for each, answer in zip(lines, answers, strict=True):
                ahead.feed(each, answer)
    assert here.rejected
    assert orjson.dumps(here.finish()) == orjson.dumps(ahead.finish())


def test_what_depends_on_the_line_before_is_left_open(lookups: Lookups) -> None:
    with ReadAhead(simulation(lookups).look) as reader:
        ((_, answers),) = reader.read(iter([[line(1), line(2, timestamp=None), line(3, **ECHO), b"{"]]))
    kinds = [type(answer) for answer in answers]
    assert kinds == [Event, type(None), type(None), Rejected]


def test_a_mistake_of_ours_in_the_second_process_ends_the_first(capfd: pytest.CaptureFixture[str]) -> None:
    def broken(_: bytes) -> Event:
        raise ZeroDivisionError

    with ReadAhead(broken) as reader, pytest.raises(EOFError):
        list(reader.read(iter([[b"{}"]])))
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_the_process_ends_with_its_owner(lookups: Lookups) -> None:
    with ReadAhead(simulation(lookups).look) as reader:
        process = reader._process
        assert process.is_alive()
    assert process.exitcode == 0


@pytest.mark.parametrize("pays", [True, False])
def test_the_command_gives_the_same_bytes_with_and_without(
    *, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pays: bool
) -> None:
    monkeypatch.setattr(command, "STEP", 1_000)
    monkeypatch.setattr(ReadAhead, "pays", staticmethod(lambda: pays))
    file = tmp_path / "events.ndjson"
    file.write_bytes(b"".join(LINES))
    alone = CliRunner().invoke(command.simulate, ["--json", "-"], input=b"".join(LINES))
    told = CliRunner().invoke(command.simulate, ["--json", str(file)])
    assert told.exit_code == 0
    assert told.stdout == alone.stdout
