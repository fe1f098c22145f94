"""`leadstream resync`: every linked visitor sends its sums again; a lost `people` table comes back by that."""

import secrets
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace

import click
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from stream.agents.headers import CONTENT_TYPE, RESYNC
from stream.agents.rules import RULESET_KEY
from stream.cli.connections import admin_client, all_sent, consumer_client, partitions_of, producer_client, read_whole, run
from stream.cli.lost_tables import empty
from stream.cli.unread import unread
from stream.domain import editions, log
from stream.domain.editions import Edition
from stream.domain.head import OFFSETS
from stream.errors import UsageError
from stream.ops import group
from stream.ops.crm_moves import Moves
from stream.ops.lead_states import newest_numbers, refused, restored, shown
from stream.ops.survey import Looked, Survey, let_go_on, require_no_worker
from stream.runtime.adopting import OF_PEOPLE, held, turned
from stream.runtime.misfits import RECORD_FORMAT, misfit
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
    nobody moves down before all sums are back; no worker may run then. Where no worker runs, `lead-states` gets back the
    leads that it lost, as `stage-changes` tells them. Else nothing is lost by it and nothing changes.
    """
    run(_resync(load()))


async def _resync(settings: Settings) -> None:
    name = secrets.token_hex(8)
    async with admin_client(settings) as admin, consumer_client(settings) as consumer, producer_client(settings) as producer:
        await create_missing(admin, topic_table(settings))
        kafka, survey = Clients(admin, consumer, producer), Survey(settings, admin, consumer)
        lost = None
        if not await group.members(admin, settings.app) or await survey.says_people_are_lost():
            await require_no_worker(admin, settings)
            lost = _lost(await survey.look())
            await _show_again(settings, kafka)
        if lost is None:
            people = TopicPartition(settings.topic("people"), 0)
            await _append(producer, people, [log.Settling(name, anew=False)], RESYNC)
            await _ask_visitors(settings, kafka, name)
        else:
            await _bring_back(settings, kafka, survey, lost, name)
    click.echo("every linked visitor sends its sums again, as soon as a worker reads that")


async def _show_again(settings: Settings, kafka: Clients) -> None:
    """Write into `lead-states` the leads that are not there, as they were last told; a worker meanwhile could know them newer."""
    states = settings.topic("lead-states")
    told = shown([record.value async for record in kafka.read(settings.topic("stage-changes"))])
    known = {record.key.decode() async for record in kafka.read(states)}
    missing = {id_: value for id_, value in told.items() if id_ not in known}
    puts = (kafka.producer.send(states, value, key=id_.encode(), headers=[CONTENT_TYPE]) for id_, value in missing.items())
    for acknowledged in await all_sent(puts):
        await acknowledged
    if missing:
        click.echo(f"{len(missing)} leads that lead-states had lost are there again, as they were last told")


def _lost(looked: Sequence[Looked]) -> Looked | None:
    """Return where people are lost; raises UsageError where something else does not fit."""
    lost = next((one for one in looked if {met.kind for met in one.met} & OF_PEOPLE), None)
    others = [met for one in looked if one is not lost for met in one.met]
    if others:
        raise UsageError(str(others[0]))
    return lost


async def _bring_back(settings: Settings, kafka: Clients, survey: Survey, lost: Looked, name: str) -> None:
    """Bring lost people back, while no worker lives: nor can one start before all is written, for half a table is none."""
    people, kinds = TopicPartition(*lost.found.tp), {met.kind for met in lost.met}
    rules = max((editions.read(row).newest for row in survey.rows_of(RULESET_KEY)), key=lambda one: one.place, default=None)
    records = await _people_again(settings, kafka, rules, name)
    position, mark = held(lost.found, kinds)
    await let_go_on(settings, kafka.producer, [(lost, position, mark)])
    start = await _append(kafka.producer, people, records, RESYNC)
    newer = mark.place > (0 if rules is None else rules.place)  # people had it in force, visitors have not heard of it
    words = await unread(kafka.consumer, people, position, start, rules_since=mark.place - 1 & OFFSETS if newer else None)
    await _append(kafka.producer, people, words)
    await empty(kafka.consumer, kafka.producer, lost.changelog)
    await _ask_visitors(settings, kafka, name)
    found = replace(lost.found, committed=position, mark=mark)
    await let_go_on(settings, kafka.producer, [(lost, *turned(found, set(), start))])
    _tell(records, words)


def _tell(records: Sequence[log.Record], words: Sequence[log.Record]) -> None:
    """Say what has come back."""
    leads = sum(isinstance(record, log.Restored) and bool(record.stage) for record in records)
    parted = sum(isinstance(record, log.Said) for record in records)
    if leads:
        click.echo(f"{leads} leads stand again as lead-states shows them")
    if parted:
        click.echo(f"{parted} identities stay apart from others, as operators said")
    if words:
        click.echo(f"{len(words)} words that no worker had read are said again: they count as soon as all sums are back")


async def _people_again(settings: Settings, kafka: Clients, rules: Edition | None, name: str) -> list[log.Record]:
    """Return what the people log has to say so that its fold, empty, goes on: the ruleset that visitors know, and the leads."""
    facts = [record.value async for record in kafka.read(settings.topic("stage-changes"))]
    states = {record.key.decode(): record.value async for record in kafka.read(settings.topic("lead-states"))}
    standing = {id_: value for id_, value in states.items() if value is not None}
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


async def _append(
    producer: AIOKafkaProducer, place: TopicPartition, records: Sequence[log.Record], *headers: tuple[str, bytes]
) -> int:  # fmt: skip
    """Append own records to a partition; return where they begin."""
    topic, number = place
    puts = (producer.send(topic, log.encode(one), partition=number, headers=[*headers]) for one in records)
    acknowledged = [await one for one in await all_sent(puts)]
    return min((one.offset for one in acknowledged), default=0)


async def _ask_visitors(settings: Settings, kafka: Clients, name: str) -> None:
    """Append to every partition that `events` has what lets its linked visitors send their sums."""
    events = settings.topic("events")
    for partition in range(await partitions_of(kafka.admin, events)):
        slices = [log.Resync(name, part, PARTS) for part in range(PARTS)]
        await _append(kafka.producer, TopicPartition(events, partition), slices, RESYNC)
