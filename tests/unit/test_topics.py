"""The topics of an installation: names, partitions, how long and how large."""

import re
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stream.runtime.topics import ANY_AGE, OLDEST, Topic, create_missing, letters_topic, topic_table
from stream.settings import Settings

DAY_MS = 86_400_000
PRIVACY = (Path(__file__).parents[2] / "docs" / "privacy.md").read_text("utf-8")
KEPT = dict(re.findall(r"^\| `([^`]+)`[^|]* \|[^|]*\| ([^|]+) \|$", PRIVACY, re.MULTILINE))
"""How long the page on privacy says that a topic's records lie there."""


def _topics(**chosen: object) -> dict[str, Topic]:
    return {topic.name: topic for topic in topic_table(Settings(**chosen))}


def test_every_topic_of_the_design_is_there() -> None:
    assert set(_topics()) == {
        "events",
        "wakes",
        "people",
        "members",
        "stage-changes",
        "account-changes",
        "lead-states",
        "dead-letters",
        "leadstream-visitors-changelog",
        "leadstream-people-changelog",
        "leadstream-accounts-changelog",
    }


def test_the_prefix_is_for_topics_and_the_app_for_changelogs() -> None:
    topics = _topics(topic_prefix="eu.", app="brand")

    assert {"eu.events", "eu.people", "brand-visitors-changelog"} <= set(topics)


def test_people_decide_in_one_partition_and_all_else_scales() -> None:
    counts = {name: topic.partitions for name, topic in _topics(partitions=12).items()}

    assert {name for name, count in counts.items() if count == 1} == {"people", "leadstream-people-changelog"}
    assert set(counts.values()) == {1, 12}


@pytest.mark.parametrize(
    ("name", "days"),
    [
        ("events", 7),
        ("wakes", 7),
        ("people", 7),
        ("members", 7),
        ("stage-changes", 30),
        ("account-changes", 30),
        ("dead-letters", 14),
    ],
)
def test_logs_are_kept_for_days(name: str, days: int) -> None:
    config = _topics()[name].config

    assert (config["cleanup.policy"], config["retention.ms"]) == ("delete", str(days * DAY_MS))


def _every_topic(**chosen: object) -> dict[str, Topic]:
    """Return the topics by the names on that page, that of the webhooks among them."""
    made = (*topic_table(Settings(**chosen)), letters_topic(Settings(**chosen)))
    return {topic.name.replace("leadstream-", "<APP>-"): topic for topic in made}


def test_the_page_on_privacy_lists_every_topic() -> None:
    assert set(KEPT) == set(_every_topic())


@pytest.mark.parametrize(("name", "days"), KEPT.items())
def test_nothing_lies_longer_than_the_page_on_privacy_says(name: str, days: str) -> None:
    config = _every_topic()[name].config

    if days.endswith(" days + 1"):  # Kafka deletes whole segments
        told_ms = int(days.removesuffix(" days + 1")) * DAY_MS
        assert (config["cleanup.policy"], config["retention.ms"], config["segment.ms"]) == ("delete", str(told_ms), str(DAY_MS))
    else:
        assert (config["cleanup.policy"], config["max.compaction.lag.ms"]) == ("compact", str(2 * DAY_MS))


def test_what_no_webhook_took_is_kept_as_every_other_dead_letter_is() -> None:
    topics = _every_topic(replication=3, topic_prefix="eu.", retention_dead_letters=timedelta(hours=2))

    assert topics["eu.outbound-dead-letters"].config == topics["eu.dead-letters"].config
    assert topics["eu.outbound-dead-letters"].config["segment.ms"] == "7200000"
    assert (topics["eu.outbound-dead-letters"].replication, topics["eu.outbound-dead-letters"].partitions) == (3, 1)


def test_retention_is_a_setting() -> None:
    assert _topics(retention_wakes=timedelta(hours=2))["wakes"].config["retention.ms"] == "7200000"


@pytest.mark.parametrize("name", ["lead-states", "leadstream-visitors-changelog", "leadstream-people-changelog"])
def test_rows_are_compacted_but_not_within_a_day(name: str) -> None:
    config = _topics()[name].config

    assert (config["cleanup.policy"], config["min.compaction.lag.ms"]) == ("compact", str(DAY_MS))
    assert "retention.ms" not in config


def test_the_largest_event_fits_into_a_dead_letter_with_its_headers() -> None:
    topics = _topics()

    sizes = {name: int(topic.config["max.message.bytes"]) for name, topic in topics.items()}
    assert sizes["dead-letters"] - sizes["events"] == 64 * 1024


def test_times_are_those_of_the_sender_everywhere() -> None:
    assert {topic.config["message.timestamp.type"] for topic in _topics().values()} == {"CreateTime"}


@pytest.mark.parametrize(("copies", "needed"), [(1, "1"), (2, "1"), (3, "2")])
def test_three_copies_survive_the_loss_of_one_machine(copies: int, needed: str) -> None:
    topics = _topics(replication=copies).values()

    assert {(topic.replication, topic.config["min.insync.replicas"]) for topic in topics} == {(copies, needed)}


class Kafka35:
    """Takes no setting that came later; has no topics at first."""

    def __init__(self) -> None:
        self.made: dict[str, dict[str, str]] = {}

    async def list_topics(self) -> list[str]:
        return [*self.made]

    async def create_topics(self, topics: list[Any]) -> Any:
        answers = []
        for topic in topics:
            code = 36 if topic.name in self.made else 40 if OLDEST in topic.topic_configs else 0
            answers.append((topic.name, code, ""))
            if code == 0:
                self.made[topic.name] = topic.topic_configs
        return SimpleNamespace(topic_errors=answers)

    async def describe_topics(self, names: list[str]) -> list[dict[str, Any]]:
        return [{"topic": name, "error_code": 0, "partitions": [{"leader": 1}]} for name in names]


async def test_a_forward_may_be_as_old_as_it_is_where_kafka_knows_such_a_setting() -> None:
    wanted, kafka = _topics(), Kafka35()
    assert [name for name, topic in wanted.items() if topic.config.get(OLDEST) == ANY_AGE] == ["events"]

    admin: Any = kafka
    assert set(await create_missing(admin, wanted.values())) == set(kafka.made) == set(wanted)
    assert kafka.made["events"] == {name: value for name, value in wanted["events"].config.items() if name != OLDEST}
