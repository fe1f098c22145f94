"""`leadstream topics`: create what is missing, or compare."""

import click

from stream.cli.connections import admin_client, run
from stream.errors import NegativeAnswerError, UsageError
from stream.runtime.topics import create_missing, differences, letters_topic, topic_table
from stream.settings import Settings, load


@click.command()
@click.option("--check", is_flag=True, help="Only compare with what is there, settings and not contents; exit 1 on a difference.")
@click.option("--adopt", is_flag=True, help="Go on with topics that were recreated or lost records.")
def topics(check: bool, adopt: bool) -> None:
    """Create the topics that are missing, with their partitions, cleanup, retention and sizes.

    --adopt lets an installation go on that a worker refused: with a recreated `events`, in a new epoch; without records
    that were deleted before they were read; with rows made again where a changelog lost them. No worker may run.

    What exists is left as it is. Names, partitions, copies and retention are settings: `leadstream worker --help`.
    """
    if adopt and check:
        raise UsageError("--check only compares, --adopt changes: give one of them")
    settings = load()
    run(_adopt(settings) if adopt else _check(settings) if check else _create(settings))


async def _adopt(settings: Settings) -> None:
    from stream.cli.adopt import adopt

    await adopt(settings)


async def _create(settings: Settings) -> None:
    wanted = topic_table(settings)
    async with admin_client(settings) as admin:
        new = set(await create_missing(admin, wanted))
    for topic in wanted:
        click.echo(f"{'created' if topic.name in new else 'exists '}  {topic.name} ({topic.partitions})")


async def _check(settings: Settings) -> None:
    wanted, letters = topic_table(settings), letters_topic(settings)
    async with admin_client(settings) as admin:
        if letters.name in await admin.list_topics():  # `webhook` makes it, and not everybody uses that
            wanted = (*wanted, letters)
        found = await differences(admin, wanted)
    for line in found:
        click.echo(line)
    if found:
        raise NegativeAnswerError(
            f"{len(found)} differences: `leadstream topics` creates what is missing, kafka-configs alters what differs"
        )
    click.echo(f"{len(wanted)} topics are as they should be")
