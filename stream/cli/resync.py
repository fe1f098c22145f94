"""`leadstream resync`: every linked visitor sends its sums again; a lost `people` table comes back by that."""

import secrets
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import click
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord
from aiokafka.admin import AIOKafkaAdminClient

from stream.agents.headers import RESYNC
from stream.agents.rules import RULESET_KEY
from stream.cli.connections import admin_client, consumer_client, partitions_of, producer_client, read_whole, run
from stream.cli.lost_tables import empty
from stream.domain import editions, log
from stream.errors import UsageError
from stream.ops import group
from stream.ops.crm_moves import Moves
from stream.ops.lead_states import newest_numbers, refused, restored
from stream.ops.survey import Survey, let_go_on, require_no_worker
from stream.runtime.adopting import turned
from stream.runtime.misfits import FOLD_CUT, FOLD_LOST, RECORD_FORMAT, misfit
from stream.runtime.topics import changelog, create_missing, topic_table
from stream.settings import Settings, load

PARTS = 64
"""In so many slices a partition's visitors are looked through, others work in between."""


@dataclass(frozen=True)
class Clients:
    """The connections to Kafka of one run."""

    admin: AIOKafkaAdminClient
    consumer: AIOKafkaConsumer
    producer: AIOKafkaProducer

    def read(self, topic: str) -> AsyncIterator[ConsumerRecord]:
        """Yield what lies in a topic."""
        return read_whole(self.admin, self.consumer, topic)


@click.command()
def resync() -> None:
    """Let every linked visitor send its sums again.

    Where the `people` table was lost, its leads stand again as `lead-states` shows them, their facts are numbered on, and
    nobody moves down before all sums are back; no worker may run then. Else nothing is lost by it and nothing changes.
    """
    run(_resync(load()))


async def _resync(settings: Settings) -> None:
    name = secrets.token_hex(8)
    async with admin_client(settings) as admin, consumer_client(settings) as consumer, producer_client(settings) as producer:
        await create_missing(admin, topic_table(settings))
        kafka, survey = Clients(admin, consumer, producer), Survey(settings, admin, consumer)
        if await group.members(admin, settings.app) and not await survey.says_people_are_lost():
            leads = parted = 0
            await _ask_visitors(settings, kafka, name)
        else:
            await require_no_worker(admin, settings)
            leads, parted = await _resync_alone(settings, kafka, survey, name)
    if leads:
        click.echo(f"{leads} leads stand again as lead-states shows them")
    if parted:
        click.echo(f"{parted} identities stay apart from others, as operators said")
    click.echo("every linked visitor sends its sums again, as soon as a worker reads that")


async def _resync_alone(settings: Settings, kafka: Clients, survey: Survey, name: str) -> tuple[int, int]:
    """Bring lost people back, while no worker lives; return how many leads, and of how many identities an operator's word."""
    looked = await survey.look()
    lost = [one for one in looked if {met.kind for met in one.met} & {FOLD_LOST, FOLD_CUT}]
    others = [met for one in looked if one not in lost for met in one.met]
    if others:
        raise UsageError(str(others[0]))
    records: list[log.Record] = await _people_again(settings, kafka, survey, name) if lost else []
    start = await _append(kafka.producer, f"{settings.topic_prefix}people", records)
    for one in lost:
        await empty(kafka.consumer, kafka.producer, one.changelog)
    await _ask_visitors(settings, kafka, name)
    if lost:
        turns = [(one, *turned(one.found, {met.kind for met in one.met}, start)) for one in lost]
        await let_go_on(settings, kafka.producer, turns)
    leads = sum(isinstance(record, log.Restored) and bool(record.stage) for record in records)
    return leads, sum(isinstance(record, log.Said) for record in records)


async def _people_again(settings: Settings, kafka: Clients, survey: Survey, name: str) -> list[log.Record]:
    """Return what the people log has to say so that its fold, empty, goes on: the ruleset in force, and the leads."""
    prefix = settings.topic_prefix
    facts = [record.value async for record in kafka.read(f"{prefix}stage-changes")]
    states = {record.key.decode(): record.value async for record in kafka.read(f"{prefix}lead-states")}
    standing = {id_: value for id_, value in states.items() if value is not None}
    rules = max((editions.read(row).newest for row in survey.rows_of(RULESET_KEY)), key=lambda one: one.place, default=None)
    again: list[log.Record] = [] if rules is None else [log.Deployment(rules.text)]
    leads = restored(standing, newest_numbers([*facts, *standing.values()]))
    moves = await _moves(settings, kafka)
    pairs = [pair for pair in refused(facts, moves.unshared()) if moves.knows(pair)]
    return [*again, log.Settling(name), *moves.said(), *leads, *pairs, *moves.told()]


async def _moves(settings: Settings, kafka: Clients) -> Moves:
    """Look through the visitors' rows: they know the CRM's newest move under each identity."""
    moves = Moves()
    async for record in kafka.read(changelog(settings.app, "visitors")):
        if record.key:
            try:
                moves.look(record.key, record.value)
            except log.Unreadable as error:
                where = f"{record.topic}-{record.partition}"
                raise UsageError(str(misfit(RECORD_FORMAT, where=where, offset=record.offset, what=error))) from error
    return moves


async def _append(producer: AIOKafkaProducer, topic: str, records: Sequence[log.Record]) -> int:
    """Append own records to the people log; return where they begin."""
    sent = [await producer.send(topic, log.encode(record), partition=0) for record in records]
    acknowledged = [await one for one in sent]
    return min((one.offset for one in acknowledged), default=0)


async def _ask_visitors(settings: Settings, kafka: Clients, name: str) -> None:
    """Append to every partition that `events` has what lets its linked visitors send their sums."""
    events = f"{settings.topic_prefix}events"
    for partition in range(await partitions_of(kafka.admin, events)):
        for part in range(PARTS):
            value = log.encode(log.Resync(name, part, PARTS))
            await kafka.producer.send(events, value, partition=partition, headers=[RESYNC])
    await kafka.producer.flush()
