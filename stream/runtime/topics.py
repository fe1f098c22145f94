"""The topics of an installation: what they are called, how they are kept, and whether they are as they should be."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import for_code

from stream.errors import UnreachableError, UsageError
from stream.runtime.embedded import CLUSTER_ID
from stream.settings import Settings

TABLE_OF = {"events": "visitors", "wakes": "visitors", "people": "people", "members": "accounts"}
"""What workers read, and the table that is made from it."""
TABLES = tuple(dict.fromkeys(TABLE_OF.values()))

FREE = ("stage-changes", "account-changes", "dead-letters")
"""What only goes out may have any number of partitions: nobody looks there for a key's newest record."""

LETTERS = "outbound-dead-letters"
"""Where facts lie that no webhook's receiver took; it exists only where webhooks are used."""

RECORD_BYTES = 1_048_588  # Kafka's own default: what a record of `events` may take
DEAD_LETTER_BYTES = RECORD_BYTES + 64 * 1024  # the largest record and the headers that say what was wrong with it

SEGMENT = timedelta(hours=24)
"""Kafka deletes whole segments: a record is gone so long after its retention at the latest."""
MAX_COMPACTION_LAG = timedelta(hours=48)
"""After so long a compacted segment is closed and cleaned, what was replaced or erased is gone."""

ANY_AGE = str(2**63 - 1)
"""Kafka's own default, unless a cluster's is another: a forward keeps its timestamp, however long ago that was."""
OLDEST = "message.timestamp.before.max.ms"
LEAST_MS = dict.fromkeys((OLDEST, "message.timestamp.after.max.ms"), 60 * 60 * 1000)
"""So far a broker's clock and a worker's may be apart; less than Kafka's own defaults."""

_VISIBLE_S = 30.0
_ALREADY_EXISTS, _INVALID_CONFIG = 36, 40
_UNLIMITED = "-1"


@dataclass(frozen=True)
class Topic:
    """A topic as it should be; `config` holds Kafka's own names and texts."""

    name: str
    partitions: int
    replication: int
    config: Mapping[str, str] = field(default_factory=dict)


def topic_table(settings: Settings) -> tuple[Topic, ...]:
    """List every topic of the installation."""
    keep = {
        "events": settings.retention_events,
        "wakes": settings.retention_wakes,
        "people": settings.retention_people,
        "members": settings.retention_members,
        "stage-changes": settings.retention_stage_changes,
        "account-changes": settings.retention_account_changes,
        "dead-letters": settings.retention_dead_letters,
    }
    logs = {name: _log(retention, name) for name, retention in keep.items()}
    logs["events"][OLDEST] = ANY_AGE
    compacted = {"lead-states": _compacted()} | {changelog(settings.app, table): _compacted() for table in TABLES}
    single = {"people", changelog(settings.app, "people")}
    durable = _durable(settings)
    return tuple(
        Topic(
            name if name.endswith("-changelog") else settings.topic(name),
            1 if name in single else settings.partitions,
            settings.replication,
            config | durable,
        )
        for name, config in (logs | compacted).items()
    )


def letters_topic(settings: Settings) -> Topic:
    """Return the topic that `leadstream webhook` makes: of one partition, for few should ever lie there."""
    config = _log(settings.retention_dead_letters, LETTERS) | _durable(settings)
    return Topic(settings.topic(LETTERS), 1, settings.replication, config)


def sources(settings: Settings) -> dict[str, str]:
    """Name the topics that tables are made from, and the changelog of each one's table."""
    return {settings.topic(name): changelog(settings.app, table) for name, table in TABLE_OF.items()}


def changelog(app: str, table: str) -> str:
    """Name a table's changelog, as Faust does."""
    return f"{app}-{table}-changelog"


def _durable(settings: Settings) -> dict[str, str]:
    return {"min.insync.replicas": str(settings.min_insync_replicas)}


def _log(retention: timedelta, name: str) -> dict[str, str]:
    size = DEAD_LETTER_BYTES if name in {"dead-letters", LETTERS} else RECORD_BYTES
    return {
        "cleanup.policy": "delete",
        "retention.ms": _ms(retention),
        "segment.ms": _ms(min(retention, SEGMENT)),
        "retention.bytes": _UNLIMITED,
        "max.message.bytes": str(size),
        "message.timestamp.type": "CreateTime",
    }


def _compacted() -> dict[str, str]:
    """Keep the newest row of each key; old ones for longer than the longest freeze of a worker that is survived.

    And not for ever: a log that is written to is compacted at last when its oldest row is older than the greatest lag, also
    where Kafka itself would see no need to, and two such spans later nulls are gone, too.
    """
    return {
        "cleanup.policy": "compact",
        "min.compaction.lag.ms": _ms(timedelta(hours=24)),
        "max.compaction.lag.ms": _ms(MAX_COMPACTION_LAG),
        "delete.retention.ms": _ms(timedelta(hours=24)),
        "max.message.bytes": str(RECORD_BYTES),
        "message.timestamp.type": "CreateTime",
    }


def _ms(span: timedelta) -> str:
    return str(span // timedelta(milliseconds=1))


async def create_missing(admin: AIOKafkaAdminClient, topics: Iterable[Topic]) -> list[str]:
    """Create the topics that do not exist, wait until all are visible, and return the names of the new ones.

    Raises UsageError where Kafka refuses one.
    """
    wanted = list(topics)
    present = set(await admin.list_topics())
    missing = [topic for topic in wanted if topic.name not in present]
    if missing:
        answers = await _create(admin, missing)
        if any(code == _INVALID_CONFIG for _, code, _ in answers):  # Kafka before 3.6 does not know it
            answers = await _create(admin, missing, without=OLDEST)
        for name, code, message in answers:
            if code not in {0, _ALREADY_EXISTS}:
                reason = message or for_code(code).__name__
                raise UsageError(f"topic {name} cannot be created: {reason}: create it yourself, or allow us to")
    await _visible(admin, [topic.name for topic in wanted])
    return [topic.name for topic in missing]


async def _create(admin: AIOKafkaAdminClient, topics: Iterable[Topic], without: str = "") -> list[tuple[str, int, str]]:
    """Return each topic's name with the code and words of Kafka's answer."""
    made = []
    for topic in topics:
        config = {name: value for name, value in topic.config.items() if name != without}
        made.append(NewTopic(topic.name, topic.partitions, topic.replication, topic_configs=config))
    return [entry[:3] for entry in (await admin.create_topics(made)).topic_errors]


async def differences(admin: AIOKafkaAdminClient, topics: Iterable[Topic]) -> list[str]:
    """Compare what is with what should be; one line a difference, none if all is well."""
    wanted = list(topics)
    present = set(await admin.list_topics())
    existing = [topic for topic in wanted if topic.name in present]
    found = [f"{topic.name}: is missing" for topic in wanted if topic.name not in present]
    if not existing:
        return found
    names = [topic.name for topic in existing]
    described = {entry["topic"]: entry["partitions"] for entry in await admin.describe_topics(names)}
    configs = await _configs(admin, names)
    for topic in existing:
        found += _compare(topic, described[topic.name], configs[topic.name])
    return found


async def is_embedded(admin: AIOKafkaAdminClient) -> bool:
    """Tell the embedded broker from Apache Kafka."""
    return bool((await admin.describe_cluster()).get("cluster_id") == CLUSTER_ID)


def _compare(topic: Topic, partitions: list[dict[str, list[int]]], config: Mapping[str, str]) -> Iterable[str]:
    copies = min((len(partition["replicas"]) for partition in partitions), default=0)
    pairs: list[tuple[str, int | str, int | str]] = [
        ("partitions", len(partitions), topic.partitions),
        ("replication", copies, topic.replication),
    ]
    pairs += [(name, config.get(name, want), want) for name, want in topic.config.items()]
    for name, have, want in pairs:
        if have != want:
            yield f"{topic.name}: {name} is {have}, should be {want}"
    for name, least in LEAST_MS.items():
        if name not in topic.config and int(config.get(name, least)) < least:
            yield f"{topic.name}: {name} is {config[name]}, should be at least {least}"


async def _configs(admin: AIOKafkaAdminClient, names: list[str]) -> dict[str, dict[str, str]]:
    answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])
    return {resource[3]: {entry[0]: entry[1] for entry in resource[4]} for answer in answers for resource in answer.resources}


async def _visible(admin: AIOKafkaAdminClient, names: list[str]) -> None:
    """Wait until every partition of the topics has a leader."""
    deadline = asyncio.get_running_loop().time() + _VISIBLE_S
    while True:
        described = await admin.describe_topics(names)
        leaderless = [
            entry["topic"]
            for entry in described
            if entry["error_code"] or not entry["partitions"] or any(p["leader"] < 0 for p in entry["partitions"])
        ]
        if not leaderless and set(names) <= set(await admin.list_topics()):
            return
        if asyncio.get_running_loop().time() > deadline:
            names_text = ", ".join(leaderless or names)
            raise UnreachableError(f"topics {names_text} have no leader after {_VISIBLE_S:.0f} s: see Kafka's own log")
        await asyncio.sleep(0.1)
