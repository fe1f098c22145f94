"""`leadstream topics --adopt`: go on with what is there, after an operator has seen what is not."""

import click

from stream.cli.connections import admin_client, consumer_client, producer_client
from stream.cli.lost_tables import empty, greatest_number, is_torn, number_on
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
        looked = await Survey(settings, admin, consumer).look()
        left = [met for one in looked for met in one.met if met.kind not in ADOPTABLE]
        accounts, turns = changelog(settings.app, "accounts"), []
        for one in looked:
            kinds = {met.kind for met in one.met}
            if kinds and kinds <= ADOPTABLE:
                turns.append((one, *turned(one.found, kinds)))
        if turns:
            async with producer_client(settings) as producer:
                anew = [turn for turn in turns if turn[0].changelog.topic == accounts and is_torn(turn[0])]
                number = await greatest_number(admin, consumer, f"{settings.topic_prefix}account-changes") if anew else 0
                for one, position, mark in anew:
                    await empty(consumer, producer, one.changelog)
                    await number_on(producer, one.changelog, position, mark, number)
                await let_go_on(settings, producer, turns)
    for one, position, mark in turns:
        click.echo(f"adopted  {one.where}: {', '.join(met.kind for met in one.met)}; goes on at {position}, epoch {mark.epoch}")
    if left:
        raise UsageError(str(left[0]))
    if not turns:
        click.echo("nothing was recreated, lost or deleted unread: nothing to adopt")
    elif any(one.found.fold for one, _, _ in turns):
        click.echo("what the people log lost comes back with `leadstream resync`, once a worker runs")
