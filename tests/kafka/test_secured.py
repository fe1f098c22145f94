"""Kafka behind TLS and with ACLs: whoever may, can, and a closed door is one line that says why."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from tests.brokers import Broker, Installation, free_port, kafka_jars, wait_until
from tests.kafka.acls import Line, allow, lines
from tests.kafka.secured import PASSWORD, USER, Authority, Secured, SecuredNode, settings_of
from tests.kafka.workers import run_worker

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
        node.know(USER, PASSWORD)
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


PARTS = {
    "worker": ("worker", "worker, to tell the lag of others"),
    "collector": ("collector",),
    "crm": ("CRM, reading",),
    "ops": ("topics", "lag", "canary", "deadletters list", "link"),
}
"""Users, and the parts of the runbook's table that each of them is."""
OPS = (("topics", "--check"), ("canary",), ("deadletters", "list"), ("link", "user::42", "anon::other"), ("lag", "--json"))
LESS = (("worker", "leadstream: "), ("collector", "docs/runbook/acls.md"), ("canary", "docs/runbook/acls.md"))
"""Whose lines are left out, one at a time, and what is said then."""


class Allowed:
    """Users with what `docs/runbook/acls.md` gives them, and no more."""

    def __init__(self, secured: Secured, installation: Installation) -> None:
        self._secured, self._installation = secured, installation
        self._admin = AdminClient({"bootstrap.servers": secured.broker.address, "log_level": 0})

    def user(self, name: str, mine: Iterable[Line]) -> dict[str, str]:
        """Return the settings of a user who may do what these lines say."""
        node, bound = self._secured.broker.process, (self._installation.prefix, self._installation.app)
        assert isinstance(node, SecuredNode)
        node.know(name, PASSWORD)
        allow(self._admin, list(dict.fromkeys(one for line in mine for one in line.bindings(name, *bound))))
        return self._secured.by_password | {"KAFKA_USERNAME": name}


def consumer_of(told: dict[str, str]) -> Consumer:
    """Return a consumer of a user's, in a group of the same name."""
    return Consumer({
        "bootstrap.servers": told["KAFKA"], "security.protocol": "SASL_SSL", "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": told["KAFKA_USERNAME"], "sasl.password": PASSWORD, "ssl.ca.location": told["KAFKA_CA"],
        "group.id": told["KAFKA_USERNAME"], "auto.offset.reset": "earliest", "log_level": 0,
    })  # fmt: skip


def first_read(consumer: Consumer, topic: str) -> bytes:
    """Return the first value that a consumer reads."""
    consumer.subscribe([topic])
    message = wait_until(lambda: consumer.poll(0.2), 30, f"a record of {topic}")
    assert message is not None
    assert message.error() is None, message.error()
    consumer.commit(message, asynchronous=False)
    consumer.close()
    return message.value() or b""


def test_each_part_works_with_what_the_runbook_allows_it_and_not_with_less(secured: Secured, installation: Installation) -> None:
    assert installation.run("topics").returncode == 0
    allowed, port = Allowed(secured, installation), str(free_port())
    users = {user: allowed.user(user, [line for line in lines() if line.part in parts]) for user, parts in PARTS.items()}
    collector = installation.start("collector", COLLECTOR_PORT=port, **users["collector"])
    crm, facts = consumer_of(users["crm"]), installation.topic("stage-changes")
    crm.commit(offsets=[TopicPartition(facts, 0, 0)], asynchronous=False)  # the worker looks round once in a while for who reads
    worker = run_worker(installation, **users["worker"])
    collector.wait_for_line("ready: ")
    with urlopen(Request(f"http://127.0.0.1:{port}/v1/identify", json.dumps(BUYER).encode())) as answer:
        assert answer.status == 200
    fact = json.loads(first_read(crm, facts))
    assert fact["data"]["stage"]["to"]["name"] == "lead"
    ops = [installation.start(*words, name=f"ops-{words[0]}", WEB_PORT=str(worker.port), **users["ops"]) for words in OPS]
    for process in ops:
        assert process.wait(60) == 0, process.output
    assert '"group":"crm"' in ops[-1].output
    wait_until(lambda: b'group="crm"' in worker.get("/metrics")[1], 30, "the CRM's lag at the worker")
    assert "could not be measured" not in worker.process.output
    assert worker.process.stop(15) == 0, worker.process.output  # TLS says farewell, and is not waited for

    refused = []
    for part, said in LESS:
        mine = [line for line in lines() if line.part == part]
        for n, left_out in enumerate(mine):
            less = allowed.user(f"{part}-{n}", [line for line in mine if line != left_out])
            own = {"WEB_PORT": str(free_port()), "COLLECTOR_PORT": str(free_port())}
            refused.append((left_out, said, installation.start(part, name=f"{part}-without-{n}", **own, **less)))
    assert len(refused) == 7
    for left_out, said, process in refused:
        assert process.wait(60) in {2, 70}, left_out
        (line,) = [line for line in process.output.splitlines() if line.startswith("leadstream: ")]
        assert said in line, left_out
        names = [name.replace("PREFIX", installation.prefix).replace("APP", installation.app) for name in left_out.names]
        assert any(name.rstrip("*") in line for name in names), (left_out, line)
