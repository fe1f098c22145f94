"""`leadstream topics --adopt`: go on with what is there, after an operator has seen what is not."""

from collections.abc import Sequence
from dataclasses import dataclass

import click
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from faust.types import TP

from stream.cli.connections import admin_client, consumer_client, producer_client
from stream.cli.lost_rulesets import Turn, holding, in_force, judged_by
from stream.cli.lost_tables import begin, empty, greatest_number, is_torn
from stream.domain import editions
from stream.domain.editions import Edition
from stream.domain.log import TellAgain, encode
from stream.domain.ownrows import RULESET, LogRow
from stream.errors import UsageError
from stream.ops.survey import Survey, let_go_on, require_no_worker
from stream.runtime.adopting import turned
from stream.runtime.misfits import ADOPTABLE
from stream.runtime.topics import changelog, create_missing, topic_table
from stream.settings import Settings


async def adopt(settings: Settings) -> None:
    """Let every source go on that was recreated, lost records unread, or whose changelog lost rows; raises for what is left."""
    async with admin_client(settings) as admin, consumer_client(settings) as consumer:
        await require_no_worker(admin, settings)
        await create_missing(admin, topic_table(settings))
        survey = Survey(settings, admin, consumer)
        looked = await survey.look()
        left = [met for one in looked for met in one.met if met.kind not in ADOPTABLE]
        turns = []
        for one in looked:
            kinds = {met.kind for met in one.met}
            if kinds and kinds <= ADOPTABLE:
                turns.append(Turn(one, *turned(one.found, kinds)))
        if turns:
            async with producer_client(settings) as producer:
                turns = await Adoption(settings, admin, consumer, producer, survey).go_on(turns)
    for one, position, mark in turns:
        click.echo(f"adopted  {one.where}: {', '.join(met.kind for met in one.met)}; goes on at {position}, epoch {mark.epoch}")
    if left:
        raise UsageError(str(left[0]))
    if not turns:
        click.echo("nothing was recreated, lost or deleted unread: nothing to adopt")
    elif any(one.found.fold for one, _, _ in turns):
        click.echo("what the people log lost comes back with `leadstream resync`, once a worker runs")


@dataclass(frozen=True)
class Adoption:
    """Writes what lets sources go on; broken off anywhere it is begun again, for the marks come last."""

    settings: Settings
    admin: AIOKafkaAdminClient
    consumer: AIOKafkaConsumer
    producer: AIOKafkaProducer
    survey: Survey

    async def go_on(self, turns: Sequence[Turn]) -> list[Turn]:
        """Let sources go on; return them with the marks that were written."""
        topic = self.settings.topic
        newest = in_force(self.survey, TP(changelog(self.settings.app, "people"), 0))
        accounts = [turn for turn in turns if turn.looked.found.tp.topic == topic("members")]
        await self._make_accounts_anew([turn for turn in accounts if is_torn(turn.looked)], newest)
        if accounts:
            await self.producer.send_and_wait(topic("people"), encode(TellAgain()), partition=0)
        events = topic("events")
        marked = [await self._judged(turn, newest) if turn.looked.found.tp.topic == events else turn for turn in turns]
        await let_go_on(self.settings, self.producer, marked)
        return marked

    async def _make_accounts_anew(self, torn: Sequence[Turn], newest: Edition | None) -> None:
        if not torn:
            return
        facts = self.settings.topic("account-changes")
        number = await greatest_number(self.admin, self.consumer, facts)
        for turn in torn:
            table = turn.looked.changelog
            await empty(self.consumer, self.producer, table)
            await begin(self.producer, table, LogRow(turn.begins_at, numbers=number), newest)

    async def _judged(self, turn: Turn, newest: Edition | None) -> Turn:
        """Let a partition of `events` know the ruleset in force."""
        topic, partition = turn.looked.changelog
        held = holding(self.survey.row_of(turn.looked.changelog, RULESET), newest, turn.begins_at)
        if held is not None:
            await self.producer.send_and_wait(topic, editions.row(held), key=RULESET, partition=partition)
        return judged_by(turn, held)
