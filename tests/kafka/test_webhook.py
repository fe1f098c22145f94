"""Webhooks from a real Kafka: every fact is told, each lead's in order, also with kill -9 in the middle."""

import asyncio
import base64
import json

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from confluent_kafka.admin import AdminClient, NewTopic

from stream.outbound.progress import Progress
from tests.brokers import Installation, wait_until
from tests.kafka.group import ends
from tests.kafka.receiver import Receiver, receiving

pytestmark = [pytest.mark.kafka, pytest.mark.process]

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
LEADS, FACTS = 40, 15
MORE_THAN_WAIT = 5_400
"""Of two partitions: each has more than may wait in it."""
REFUSED, BUSY = "lead_refused", "lead_busy"


@pytest.fixture
def installation(on_kafka: Installation) -> Installation:
    admin = AdminClient({"bootstrap.servers": on_kafka.broker.address, "log_level": 0})
    admin.create_topics([NewTopic(on_kafka.topic("stage-changes"), 2, 1)])[on_kafka.topic("stage-changes")].result(30)
    secrets = ("whsec_" + base64.b64encode(secret).decode() for secret in (NEW, OLD))
    on_kafka.settings |= {"WEBHOOK_SECRETS": ",".join(secrets), "WEBHOOK_NETWORKS": "127.0.0.0/8", "WEBHOOK_PATIENCE": "1s"}
    return on_kafka


def produce(installation: Installation, leads: list[str], first: int, last: int) -> set[str]:
    """Send facts of leads by turns and return their ids."""
    ids = {(lead, sequence): f"{lead}-{sequence:010d}" for sequence in range(first, last + 1) for lead in leads}
    records = [(lead.encode(), json.dumps({"id": id_, "subject": lead}).encode()) for (lead, _), id_ in ids.items()]
    installation.produce("stage-changes", records, headers={"content-type": b"application/cloudevents+json"})
    return set(ids.values())


async def committed_as_told(installation: Installation, there: dict[int, int]) -> int:
    """Return how many facts need no telling after a crash, by the group's commits and their notes."""
    admin = AIOKafkaAdminClient(bootstrap_servers=installation.broker.address)  # confluent's reads notes beyond their end
    await admin.start()
    places = [TopicPartition(installation.topic("stage-changes"), number) for number in there]
    found = await admin.list_consumer_group_offsets(f"{installation.app}-webhook", partitions=places)
    await admin.close()
    progress = {place.partition: Progress(max(0, found[place].offset), found[place].metadata) for place in places}
    return sum(progress[number].is_done(offset) for number, end in there.items() for offset in range(end))


def assert_in_order(receiver: Receiver) -> None:
    """A lead's facts were told in their order; what came again came with the same bytes."""
    first_told = list(dict.fromkeys(receiver.told))
    for lead in {id_.rpartition("-")[0] for id_ in first_told}:
        of_lead = [id_ for id_ in first_told if id_.startswith(f"{lead}-")]
        assert of_lead == sorted(of_lead)
    assert all(len(bodies) == 1 for bodies in receiver.bodies.values())
    assert receiver.wrong == []


def answers(id_: str, attempt: int) -> int:
    """Refuse one lead's second fact for ever, and another's each at first."""
    if id_ == f"{REFUSED}-0000000002":
        return 500
    return 503 if id_.startswith(BUSY) and attempt == 1 else 204


def test_every_fact_is_told_in_order_and_a_kill_in_the_middle_loses_none(installation: Installation) -> None:
    leads = [f"lead_{number}" for number in range(LEADS)]
    with receiving(answers, OLD) as receiver:
        installation.settings["WEBHOOK_URL"] = f"http://127.0.0.1:{receiver.port}/hooks"
        ids = produce(installation, [*leads, BUSY], 1, FACTS)
        running = installation.start("webhook")
        wait_until(lambda: len(receiver.told) > len(ids) // 3, 60, "a third of the facts")
        running.kill()
        installation.processes.remove(running)
        assert len(receiver.told) < len(ids)

        done = installation.run("webhook", "--once")

        assert done.returncode == 0, done.stderr
        assert set(receiver.told) == ids
        assert_in_order(receiver)
        assert all(receiver.attempts[id_] >= 2 for id_ in ids if id_.startswith(BUSY))
        told = len(receiver.told)
        assert installation.run("webhook", "--once").returncode == 0
        assert len(receiver.told) == told  # it goes on where it was: nothing again


def test_a_fact_that_is_refused_holds_up_no_other_lead_however_many_follow(installation: Installation) -> None:
    installation.settings["WEBHOOK_PATIENCE"] = "3d"
    others = [f"lead_{number}" for number in range(MORE_THAN_WAIT)]
    with receiving(lambda id_, _: 500 if id_.startswith(REFUSED) else 204, OLD) as receiver:
        installation.settings["WEBHOOK_URL"] = f"http://127.0.0.1:{receiver.port}/hooks"
        refused = produce(installation, [REFUSED], 1, 2)
        ids = produce(installation, others, 1, 1)
        running = installation.start("webhook")
        wait_until(lambda: ids <= set(receiver.told), 60, "the facts of all other leads")
        there = ends(installation, "stage-changes", 2)
        wait_until(lambda: asyncio.run(committed_as_told(installation, there)) == len(ids), 60, "a commit of that")
        running.kill()
        installation.processes.remove(running)
        receiver.told.clear()

        installation.start("webhook")
        new = produce(installation, ["lead_new"], 1, 1)
        wait_until(lambda: new <= set(receiver.told), 60, "a new lead's")
        assert set(receiver.told) == new, "what was told before the kill is not told again"
        assert receiver.attempts[min(refused)] > 1
        assert receiver.attempts[max(refused)] == 0
        assert_in_order(receiver)


def test_what_nobody_takes_is_a_dead_letter_and_can_be_told_again(installation: Installation) -> None:
    refusing = True

    def answer(id_: str, attempt: int) -> int:
        return answers(id_, attempt) if refusing else 200

    with receiving(answer, NEW) as receiver:
        installation.settings["WEBHOOK_URL"] = f"http://127.0.0.1:{receiver.port}/hooks"
        ids = produce(installation, [REFUSED], 1, 3)
        # the first delay is cut to a second, when patience ends: two attempts
        assert installation.run("webhook", "--once").returncode == 0
        assert receiver.told == [f"{REFUSED}-0000000001", f"{REFUSED}-0000000003"]
        (letter,) = installation.read("outbound-dead-letters")
        assert json.loads(letter.value or b"")["id"] == f"{REFUSED}-0000000002"
        assert (letter.headers["leadstream-message"], letter.headers["leadstream-attempts"]) == (b"answered 500", b"2")

        refusing = False
        assert installation.run("webhook", "--letters").returncode == 0
        assert set(receiver.told) == ids


def test_a_receiver_that_is_gone_is_exit_1_and_nothing_is_lost(installation: Installation) -> None:
    gone = True
    with receiving(lambda *_: 410 if gone else 204, NEW) as receiver:
        installation.settings["WEBHOOK_URL"] = f"http://127.0.0.1:{receiver.port}/hooks/T0KEN?key=T0KEN"
        ids = produce(installation, ["lead_1"], 1, 2)
        done = installation.run("webhook")
        assert (done.returncode, "wants no more webhooks" in done.stderr) == (1, True)
        said = done.stdout + done.stderr  # when it is ready, and at its end
        assert (said.count(f"http://127.0.0.1:{receiver.port}"), "T0KEN" in said) == (2, False)
        gone = False
        assert installation.run("webhook", "--once").returncode == 0
        assert set(receiver.told) == ids


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        (
            {"WEBHOOK_URL": "https://127.0.0.1/hooks", "WEBHOOK_NETWORKS": ""},
            "LEADSTREAM_WEBHOOK_URL: 127.0.0.1 is no public address",
        ),
        ({"WEBHOOK_URL": ""}, "set LEADSTREAM_WEBHOOK_URL and LEADSTREAM_WEBHOOK_SECRETS"),
        ({"WEBHOOK_URL": "https://crm.example/", "WEBHOOK_SECRETS": "geheim"}, "LEADSTREAM_WEBHOOK_SECRETS: a secret is whsec_"),
    ],
)
def test_a_wrong_setting_is_one_line_and_exit_2(installation: Installation, settings: dict[str, str], line: str) -> None:
    done = installation.run("webhook", **settings)
    assert done.returncode == 2
    assert line in done.stderr
    assert "geheim" not in done.stderr


def test_topics_check_looks_at_its_topic_where_there_is_one(on_kafka: Installation) -> None:
    assert on_kafka.run("topics").returncode == 0
    assert on_kafka.run("topics", "--check").stdout == "11 topics are as they should be\n"
    admin = AdminClient({"bootstrap.servers": on_kafka.broker.address, "log_level": 0})
    as_before = {"cleanup.policy": "delete", "retention.ms": "1209600000"}
    former = NewTopic(on_kafka.topic("outbound-dead-letters"), 1, 1, config=as_before)
    admin.create_topics([former])[former.topic].result(30)

    check = on_kafka.run("topics", "--check")

    assert check.returncode == 1
    assert f"{former.topic}: segment.ms is 604800000, should be 86400000\n" in check.stdout


def test_its_topic_is_made_as_topics_check_wants_it(on_kafka: Installation) -> None:
    secret = "whsec_" + base64.b64encode(NEW).decode()
    on_kafka.settings |= {"WEBHOOK_SECRETS": secret, "WEBHOOK_NETWORKS": "127.0.0.0/8", "WEBHOOK_URL": "http://127.0.0.1:9/"}
    assert on_kafka.run("topics").returncode == 0
    assert on_kafka.run("webhook", "--once").returncode == 0

    assert on_kafka.run("topics", "--check").stdout == "12 topics are as they should be\n"
