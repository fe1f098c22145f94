"""Another ruleset comes into force while workers work: at one place of the log, everywhere, whatever ends meanwhile."""

import json
import threading
import time
from pathlib import Path

import orjson
import pytest

from stream.domain import editions, log
from stream.domain.ids import lead_id
from stream.domain.ruleset.load import load
from stream.rulesets import default_text
from tests.brokers import Installation, free_port, wait_until
from tests.kafka.group import wait_until_read
from tests.kafka.replay import verify
from tests.kafka.traffic import traffic
from tests.kafka.workers import run_worker

OLD = default_text()
NEW = OLD.replace(b'id = "b2b-default"', b'id = "b2b-next"').replace(b"enter = { interest = 60 }", b"enter = { interest = 30 }")
NEW = NEW.replace(b"exit = { interest = 40 }", b"exit = { interest = 20 }").replace(b"half_life = ", b"half_life =  ")
THIRD = NEW.replace(b"b2b-next", b"b2b-third")
HASH = load(NEW).hash
COUNT = 2500
RULESET = b"\x00ruleset"


@pytest.fixture
def installed(installation: Installation) -> Installation:
    return prepared(installation)


def file(installation: Installation, name: str) -> Path:
    return installation.folder / f"{name}.toml"


def ask(installation: Installation, user: str, event: str, **properties: str) -> None:
    told = {"type": "track", "event": event, "userId": user, "properties": properties, "messageId": f"{user}{time.time_ns()}"}
    installation.produce("events", [(f"user::{user}".encode(), json.dumps(told).encode())])


def changes(installation: Installation, user: str) -> list[tuple[str, str, str]]:
    """Return (stage, reason, ruleset) of a user's stage changes."""
    facts = [
        orjson.loads(r.value or b"") for r in installation.read("stage-changes") if r.key == lead_id(f"user::{user}").encode()
    ]
    return [(f["data"]["stage"]["to"]["name"], f["data"]["reason"]["code"], f["data"]["ruleset"]["id"]) for f in facts]


# -- the commands


@pytest.mark.process
def test_a_deployed_ruleset_is_in_force_everywhere_when_the_command_returns(installed: Installation) -> None:
    running = run_worker(installed)
    ask(installed, "ann", "Demo Requested")
    installed.wait_for_records("stage-changes", lambda _: changes(installed, "ann") == [("lead", "threshold_up", "b2b-default")])
    assert installed.run("ruleset", "show").stdout.encode() == OLD

    done = installed.run("ruleset", "deploy", str(file(installed, "new")))

    assert done.returncode == 0, done.stderr
    (deployed,) = [r for r in installed.read("people") if isinstance(log.decode(r.value or b""), log.Deployment)]
    said = f"b2b-next ({HASH}) is in force: since offset {deployed.offset} of people, and in every partition of events\n"
    assert done.stdout == said
    assert installed.run("ruleset", "show").stdout.encode() == NEW
    shown = installed.run("ruleset", "show", "--json").stdout
    assert json.loads(shown) == {"id": "b2b-next", "hash": HASH, "since": deployed.offset}
    assert running.ask("leads", lead_id("user::ann"))["ruleset"]["hash"] == HASH
    assert running.counts()["own"] == 4
    assert changes(installed, "ann") == [("lead", "threshold_up", "b2b-default")], "nobody is moved by a deployment"

    ask(installed, "ann", "Whatever")
    installed.wait_for_records(
        "stage-changes", lambda _: changes(installed, "ann")[1:] == [("mql", "ruleset_change", "b2b-next")]
    )

    again = installed.run("ruleset", "deploy", str(file(installed, "new")), "--json")
    assert json.loads(again.stdout) == {"id": "b2b-next", "hash": HASH, "since": deployed.offset, "deployed": False}
    assert len(installed.read("events")) == 4 + 2
    assert running.process.stop() == 0


@pytest.mark.process
def test_without_a_worker_it_waits_says_so_and_comes_into_force_with_the_next_one(installed: Installation) -> None:
    empty = installed.run("ruleset", "show", RULESET=str(file(installed, "old")))
    assert (empty.stdout.encode(), empty.returncode) == (OLD, 0)
    assert "no ruleset is in force yet" in empty.stderr

    for _ in range(2):
        done = installed.run("ruleset", "deploy", str(file(installed, "new")), "--wait", "1")
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1].startswith(f"leadstream: b2b-next ({HASH}) is in the log")
        assert "no worker runs" in done.stderr
    assert len(installed.read("people")) == 1, "waiting again appends nothing"

    running = run_worker(installed, RULESET=str(file(installed, "old")))
    assert installed.run("ruleset", "deploy", str(file(installed, "new"))).returncode == 0
    assert installed.run("ruleset", "show", RULESET=str(file(installed, "old"))).stdout.encode() == NEW
    assert "leadstream ruleset deploy" in running.process.output, "its own file is another one"
    assert running.process.stop() == 0


@pytest.mark.process
def test_workers_that_start_with_deploy_put_their_file_in_force_once(installed: Installation) -> None:
    first = run_worker(installed, RULESET=str(file(installed, "old")))
    ask(installed, "ann", "Demo Requested")
    wait_until_read(installed, 1)
    assert first.process.stop() == 0

    later = [
        installed.start("worker", "--deploy", RULESET=str(file(installed, "new")), WEB_PORT=str(free_port())) for _ in range(2)
    ]
    for process in later:
        process.wait_for_line(r"ready: \d+ rows")
    wait_until(lambda: installed.run("ruleset", "show").stdout.encode() == NEW, 60, "the new ruleset")
    ask(installed, "ann", "Whatever")

    installed.wait_for_records("stage-changes", lambda _: len(changes(installed, "ann")) == 2)
    assert changes(installed, "ann")[1] == ("mql", "ruleset_change", "b2b-next")
    assert len([r for r in installed.read("events") if r.headers]) == 4, "each partition was told once"
    for process in later:
        assert process.stop() == 0


@pytest.mark.process
def test_a_crm_stage_is_known_from_exactly_that_record_on(installed: Installation) -> None:
    crm = b'{"type":"track","event":"Lead Stage Changed","userId":"ann","messageId":"%d","properties":{"stage":"handed"}}'
    file(installed, "new").write_bytes(NEW + b'\n[[stages]]\nname = "handed"\nowner = "crm"\n')
    running = run_worker(installed)
    installed.produce("events", [(b"user::ann", crm % 1)])
    installed.wait_for_records("dead-letters", lambda found: len(found) == 1)
    assert installed.run("ruleset", "deploy", str(file(installed, "new"))).returncode == 0
    installed.produce("events", [(b"user::ann", crm % 2)])

    installed.wait_for_records("stage-changes", lambda _: ("handed", "crm", "b2b-next") in changes(installed, "ann"))
    assert len(installed.read("dead-letters")) == 1
    assert running.process.stop() == 0


def test_a_file_with_mistakes_goes_nowhere(tmp_path: Path, installed: Installation) -> None:
    file(installed, "new").write_bytes(b"[decay]\nmax_tags = 0\n")

    done = installed.run("ruleset", "deploy", str(file(installed, "new")))

    assert (done.returncode, done.stdout) == (2, "")
    assert "new.toml:2: decay.max_tags: a whole number" in done.stderr
    assert installed.read("people") == []


# -- under load, with a kill -9 and a rolling restart


class Feed(threading.Thread):
    """Produces traffic, some at a time, until it is told to end."""

    def __init__(self, installation: Installation) -> None:
        super().__init__(daemon=True)
        self._installation, self._over, self.sent = installation, threading.Event(), 0

    def run(self) -> None:
        pairs = traffic(7, 1_000_000)
        while not self._over.wait(0.05):
            self.sent += self._installation.produce("events", [next(pairs) for _ in range(60)])

    def end(self) -> None:
        self._over.set()
        self.join()


def test_it_switches_once_and_exactly_under_load_through_a_kill_9_and_a_rolling_restart(on_kafka: Installation) -> None:
    made = prepared(on_kafka)
    workers = [run_worker(made, INSTANCE=f"w{n}") for n in range(2)]
    feed = Feed(made)
    feed.start()
    wait_until_read(made, COUNT // 2)

    people = next(n for n, worker in enumerate(workers) if worker.holds("leads", lead_id("user::nobody")))
    deploying = made.start("ruleset", "deploy", str(file(made, "new")), "--wait", "60")
    wait_until(lambda: any(is_told(r.value) for r in made.read("people")), 30, "the deployment")
    workers[people].kill(made)
    workers[people] = run_worker(made, INSTANCE=f"w{people}")
    assert deploying.wait(90) == 0, deploying.output
    third = made.start("ruleset", "deploy", str(file(made, "third")), "--wait", "60")
    for n in range(2):  # a rolling restart, with another file
        assert workers[n].process.stop() == 0, workers[n].process.output[-3000:]
        workers[n] = run_worker(made, INSTANCE=f"w{n}", RULESET=str(file(made, "new")))
    assert third.wait(90) == 0, third.output
    sent = feed.sent
    wait_until(lambda: feed.sent > sent + COUNT // 4, 30, "more traffic")
    feed.end()
    wait_until_read(made, len(made.read("events")), 120)
    for worker in workers:
        assert worker.process.stop() == 0, worker.process.output[-3000:]

    check(made)


def prepared(installation: Installation) -> Installation:
    for name, text in {"old": OLD, "new": NEW, "third": THIRD}.items():
        file(installation, name).write_bytes(text)
    assert installation.run("topics").returncode == 0
    return installation


def is_told(value: bytes | None) -> bool:
    return value is not None and log.is_deployment(value)


def check(installation: Installation) -> None:
    """Compare rows and outputs with one pass over the logs, and the places of the switches with each other."""
    verdict = verify(installation)
    assert verdict.wrong == []
    places = [r.offset + 1 for r in installation.read("people") if is_told(r.value)]
    assert [sorted(switches) for _, switches in sorted(verdict.switches.items())] == [places] * 4
    for partition, newest in newest_rows(installation).items():
        held = [(one.place, one.since - 1) for one in newest.held if one.place]
        assert held == sorted(verdict.switches[partition].items()), "a partition remembers from where each ruleset holds"
    by_place = {0: load(OLD).hash, places[0]: HASH, places[1]: load(THIRD).hash}
    for record in installation.read("stage-changes"):
        fact = orjson.loads(record.value or b"")
        if fact["type"] == "lead.stage_changed.v1":
            came = max(place for place in by_place if place <= fact["data"]["freshness"]["offset"])
            assert fact["data"]["ruleset"]["hash"] == by_place[came]


def newest_rows(installation: Installation) -> dict[int, editions.Editions]:
    rows = [r for r in installation.read(f"{installation.app}-visitors-changelog") if r.key == RULESET]
    newest: dict[int, bytes] = {}
    for row in rows:
        assert row.value is not None
        if row.value[1:9] >= newest.get(row.partition, b"")[1:9]:
            newest[row.partition] = row.value
    return {partition: editions.read(row) for partition, row in newest.items()}
