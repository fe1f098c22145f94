"""Kafka behind TLS: by password and by certificate everything works, and a closed door is one line that says why."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from tests.brokers import Broker, Installation, free_port, kafka_jars
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
