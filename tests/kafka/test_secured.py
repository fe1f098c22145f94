"""Kafka behind TLS and with ACLs: whoever may, can, and a closed door is one line that says why."""

import base64
import json
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from confluent_kafka.admin import NewTopic

from tests.brokers import Broker, Installation, Process, free_port, kafka_jars, wait_until
from tests.kafka.acls import lines
from tests.kafka.allowed import Allowed, Crm, done
from tests.kafka.receiver import receiving
from tests.kafka.secured import USER, Authority, Secured, SecuredNode, settings_of
from tests.kafka.workers import Running, run_worker

pytestmark = [pytest.mark.kafka, pytest.mark.process]

BUYER = {"type": "identify", "messageId": "1", "anonymousId": "9f2c", "userId": "42", "traits": {"email": "buyer@acme.example"}}
TRIED = {"type": "track", "messageId": "2", "event": "Trial Started", "userId": "42"}
RANGES = "network,name,domain,kind\n203.0.113.0/29,Neighbour,neighbour.example,\n203.0.113.8/29,Acme,acme.example,\n"
RULESET = """
[ruleset]
id = "secured"
[behaviours.tried]
match = { type = "track", event = "Trial Started" }
points = 100
[[stages]]
name = "lead"
enter = { identified = true }
[[stages]]
name = "mql"
enter = { interest = 60 }
exit = { interest = 40 }
"""


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("secured")
    authority = Authority.made(folder / "authority", "authority")
    node = SecuredNode(folder / "kafka", kafka_jars(), authority)
    node.format()
    try:
        node.start()
        node.know(USER)
        yield Secured(Broker(node.address, "kafka", node), *settings_of(node, authority))
    finally:
        node.process.kill()


@pytest.fixture
def installation(secured: Secured, tmp_path: Path) -> Iterator[Installation]:
    made = Installation(secured.broker, tmp_path, settings={"PARTITIONS": "1"})
    (tmp_path / "rules.toml").write_text(RULESET)
    (tmp_path / "ranges.csv").write_text(RANGES)
    (tmp_path / "events.ndjson").write_text(json.dumps(BUYER) + "\n")
    yield made
    made.close()


@pytest.mark.parametrize("door", ["by_password", "by_certificate"])
def test_an_event_goes_in_and_a_stage_change_comes_out(secured: Secured, installation: Installation, door: str) -> None:
    installation.settings |= getattr(secured, door) | {
        "RULESET": str(installation.folder / "rules.toml"),
        "COMPANY_RANGES": str(installation.folder / "ranges.csv"),
    }
    assert installation.run("topics").returncode == 0
    port = str(free_port())
    collector = installation.start("collector", COLLECTOR_PORT=port, TRUSTED_PROXIES="127.0.0.1")
    worker = run_worker(installation)
    sent = installation.run("send", "events.ndjson")
    assert sent.returncode == 0, sent.stderr
    collector.wait_for_line("ready: ")
    request = Request(f"http://127.0.0.1:{port}/v1/track", json.dumps(TRIED).encode(), {"x-forwarded-for": "203.0.113.9"})
    with urlopen(request) as answer:  # noqa: S310 - our own
        assert answer.status == 200

    facts = installation.wait_for_records("stage-changes", lambda records: len(records) >= 2)

    assert [json.loads(fact.value or b"")["data"]["stage"]["to"]["name"] for fact in facts] == ["lead", "mql"]
    (tried,) = [record for record in installation.read("events") if b"Trial Started" in (record.value or b"")]
    assert json.loads(tried.value or b"")["context"]["ip"] == "203.0.113.0"  # and yet:
    assert worker.ask("visitors", "user::42")["company"]["name"] == "Acme"


@pytest.mark.parametrize(
    ("door", "wrong", "line"),
    [
        ("by_password", {"KAFKA_PASSWORD": "guessed"}, "refuses LEADSTREAM_KAFKA_USERNAME 'leadstream'"),
        ("by_password", {"KAFKA_MECHANISM": "PLAIN"}, "check it, LEADSTREAM_KAFKA_PASSWORD and LEADSTREAM_KAFKA_MECHANISM=PLAIN"),
        ("by_password", {"KAFKA_CA": ""}, "certificate at 127.0.0.1"),
        ("by_certificate", {"KAFKA_CERT": "STRANGER", "KAFKA_KEY": "STRANGER"}, "LEADSTREAM_KAFKA_CERT and LEADSTREAM_KAFKA_KEY"),
        ("by_certificate", {"KAFKA_CA": ""}, "set LEADSTREAM_KAFKA_CA"),
        ("by_certificate", {"KAFKA_CERT": "", "KAFKA_KEY": ""}, "set LEADSTREAM_KAFKA_CERT and LEADSTREAM_KAFKA_KEY"),
    ],
)
def test_a_closed_door_is_one_line_that_says_why(
    secured: Secured, installation: Installation, tmp_path: Path, door: str, wrong: dict[str, str], line: str
) -> None:
    stranger = Authority.made(tmp_path / "strangers", "strangers").sign("worker")
    wrong = {name: value.replace("STRANGER", str(stranger["KEY" in name])) for name, value in wrong.items()}
    for command in ("topics", "collector"):
        done = installation.run(command, **(getattr(secured, door) | wrong))
        assert (done.returncode, done.stdout) == (2, "")
        assert line in done.stderr
        assert done.stderr.count("\n") == 1


SECRET = bytes(range(32))
WEBHOOK = {
    "WEBHOOK_SECRETS": f"whsec_{base64.b64encode(SECRET).decode()}", "WEBHOOK_NETWORKS": "127.0.0.0/8", "WEBHOOK_PATIENCE": "1s",
}  # fmt: skip
EVENT = {"type": "page", "messageId": "3", "anonymousId": "a"}
SETTLED = json.dumps(BUYER | {"messageId": "4", "userId": "43", "anonymousId": "b", "traits": {}})
WORKER = "worker and worker, to tell the lag of others"
WHILE_A_WORKER_RUNS: dict[str, tuple[str, ...]] = {
    "topics": ("topics", "--check"),
    "canary": ("canary", "--timeout", "60"),
    "send": ("send", "settled.ndjson"),
    "copy": ("copy", "--from", "OTHER-PREFIX"),
    "deadletters list": ("deadletters", "list"),
    "deadletters replay": ("deadletters", "replay"),
    "ruleset deploy": ("ruleset", "deploy", "rules.toml", "--wait", "60"),
    "link": ("link", "user::42", "anon::other", "--wait", "60"),
    "export": ("export", "user::42", "--events"),
    "report networks": ("report", "networks"),
    "webhook": ("webhook", "--once"),
}
"""Parts of the runbook's table, and what each of them is asked to do."""
THEN: dict[str, tuple[str, ...]] = {
    "unlink": ("unlink", "user::42", "anon::other", "--wait", "60"),
    "erase": ("erase", "user::43", "--yes", "--wait", "60"),
    "lag": ("lag", "--json"),
    "resync": ("resync",),
    "webhook": ("webhook", "--letters"),
}
LESS = (("worker", "leadstream: "), ("collector", "docs/runbook/acls.md"), ("canary", "docs/runbook/acls.md"))
"""Whose lines are left out, one at a time, and what is said then."""


def test_each_part_works_with_what_the_runbook_allows_it_and_not_with_less(secured: Secured, installation: Installation) -> None:
    allowed, port, topic = Allowed(secured, installation), str(free_port()), installation.topic
    users = allowed.parts(WORKER, "collector", "CRM, reading", "CRM, sending", "topics --adopt", *WHILE_A_WORKER_RUNS, *THEN)
    assert {line.part for line in lines()} == {name for user in users for name in user.split(" and ")}, "each row is tried"
    done({"topics": installation.start("topics", **users["topics"])})
    collector = installation.start("collector", COLLECTOR_PORT=port, **users["collector"])
    crm = Crm(users["CRM, reading"], users["CRM, sending"])
    crm.begin(topic("stage-changes"))
    worker = run_worker(installation, **users[WORKER])
    collector.wait_for_line("ready: ")
    with urlopen(Request(f"http://127.0.0.1:{port}/v1/identify", json.dumps(BUYER).encode())) as answer:
        assert answer.status == 200
    fact = json.loads(crm.first_read(topic("stage-changes")))
    assert fact["data"]["stage"]["to"]["name"] == "lead"
    crm.may_read(topic("lead-states"), topic("account-changes"))
    crm.send(topic("events"), json.dumps(BUYER | {"type": "track", "event": "Deal Won", "messageId": "5"}).encode())

    prepare(allowed)
    commands_work(installation, worker, users)
    wait_until(lambda: b'group="crm"' in worker.get("/metrics")[1], 30, "the CRM's lag at the worker")
    assert "could not be measured" not in worker.process.output
    assert worker.process.stop(15) == 0, worker.process.output  # TLS says farewell, and is not waited for
    allowed.recreate(topic("events"), 1)
    done({"topics --adopt": start(installation, "adopt", ("topics", "--adopt"), users["topics --adopt"])})
    allowed.recreate(f"{installation.app}-people-changelog", 1)
    done({"resync": start(installation, "resync-lost", ("resync",), users["resync"])})
    nobody_works_with_less(allowed)


def commands_work(installation: Installation, worker: Running, users: Mapping[str, dict[str, str]]) -> None:
    """Run each command as its own user, side by side, while a worker runs."""
    with receiving(lambda *_: 500, SECRET) as refusing, receiving(lambda *_: 204, SECRET) as taking:
        told = {"WEB_PORT": str(worker.port), **WEBHOOK, "WEBHOOK_URL": f"http://127.0.0.1:{refusing.port}/"}
        done({part: start(installation, part, words, told | users[part]) for part, words in WHILE_A_WORKER_RUNS.items()})
        wait_until(lambda: worker.get("/v1/leads/user::43")[0] == HTTPStatus.OK, 30, "whom `send` has told of")
        told["WEBHOOK_URL"] = f"http://127.0.0.1:{taking.port}/"
        then = {part: start(installation, part, words, told | users[part]) for part, words in THEN.items()}
        done(then)
        assert (refusing.told, len(taking.told) > 0) == ([], True), "what nobody took is told again"
    assert '"group":"crm"' in then["lag"].output


def nobody_works_with_less(allowed: Allowed) -> None:
    """Leave out one line after the other: what is missing is named."""
    installation = allowed.installation
    left_out = {
        f"{part}-{n}": (part, said, line, [other for other in mine if other != line])
        for part, said in LESS
        for mine in [[line for line in lines() if line.part == part]]
        for n, line in enumerate(mine)
    }
    assert len(left_out) == 7
    users = allowed.users({name: rest for name, (_, _, _, rest) in left_out.items()})
    own = {name: {"WEB_PORT": str(free_port()), "COLLECTOR_PORT": str(free_port())} for name in left_out}
    refused = {name: start(installation, name, (part,), own[name] | users[name]) for name, (part, *_) in left_out.items()}
    for name, process in refused.items():
        _, said, missing, _ = left_out[name]
        assert process.wait(60) in {2, 70}, missing
        (line,) = [line for line in process.output.splitlines() if line.startswith("leadstream: ")]
        assert said in line, missing
        names = [one.replace("PREFIX", installation.prefix).replace("APP", installation.app) for one in missing.names]
        assert any(one.rstrip("*") in line for one in names), (missing, line)


def start(installation: Installation, name: str, words: tuple[str, ...], settings: dict[str, str]) -> Process:
    """Start a command, its own log beside those of the others."""
    named = [word.replace("PREFIX", installation.prefix) for word in words]
    return installation.start(*named, name=f"as-{name.replace(' ', '-')}", **settings)


def prepare(allowed: Allowed) -> None:
    """Put there what commands are about: another installation's events, a dead letter, a file."""
    installation, other = allowed.installation, f"OTHER-{allowed.installation.topic('events')}"
    (installation.folder / "settled.ndjson").write_text(SETTLED + "\n")
    allowed.create(NewTopic(other, 1, 1))
    installation.produce("dead-letters", [(b"anon::a", json.dumps(EVENT).encode())], headers={"leadstream-reason": b"not_json"})
    Installation(installation.broker, installation.folder, prefix=f"OTHER-{installation.prefix}").produce(
        "events", [(b"anon::a", json.dumps(EVENT).encode())]
    )
