"""`leadstream deadletters`: list, show and replay what could not be processed."""

import asyncio
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import click
import orjson

from stream.cli.connections import run
from stream.cli.letters import Filter, filters, letters
from stream.cli.resend import Resend, Told
from stream.cli.screen import plain
from stream.domain import instants
from stream.errors import NegativeAnswerError, UsageError
from stream.settings import load


@click.group()
def deadletters() -> None:
    """List, show or replay records that could not be processed.

    Each is kept with its original bytes and the reason: not_json, too_large, schema_violation, unknown_type, ….
    """


@deadletters.command("list")
@filters
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def list_(reasons: tuple[str, ...], since: str | None, until: str | None, limit: int, as_json: bool) -> None:
    """List dead letters, oldest first: place, time, reason, where it was found, what was wrong."""
    found = run(letters(load(), Filter.asked(reasons, since, until, limit)))
    if as_json:
        click.echo(orjson.dumps({"deadLetters": [letter.document() for letter in found]}))
        return
    for letter in found:
        columns = (letter.place, instants.write(letter.at_ms), letter.header("reason"), letter.found)
        click.echo(plain("  ".join((*columns, letter.header("message")))))
    click.echo(f"{len(found)} dead letters", err=True)


@deadletters.command()
@click.argument("place", metavar="[TOPIC:PARTITION:OFFSET]", required=False)
@filters
@click.option("--json", "as_json", is_flag=True, help="One JSON document: the letter at the place, or all that are meant.")
def show(place: str | None, reasons: tuple[str, ...], since: str | None, until: str | None, limit: int, as_json: bool) -> None:
    r"""Show dead letters in full: the one at a place as `list` prints it, or all that the options mean.

    \b
    leadstream deadletters show dead-letters:0:17
    leadstream deadletters show --reason not_json --limit 3
    """
    if place is not None and not re.fullmatch(r"[\w.-]+:\d+:\d+", place):
        raise UsageError(f"{place} is no place of a dead letter: give TOPIC:PARTITION:OFFSET as `list` prints it")
    found = run(letters(load(), Filter.asked(reasons, since, until, limit)))
    if place is not None:
        found = [letter for letter in found if letter.place == place]
        if not found:
            raise NegativeAnswerError(f"no dead letter lies at {place}: `leadstream deadletters list` names what there is")
    documents = [letter.document() for letter in found]
    if as_json:
        click.echo(orjson.dumps(documents[0] if place is not None else {"deadLetters": documents}))
        return
    for number, document in enumerate(documents):
        click.echo("\n" * (number > 0) + "\n".join(plain(f"{name:<10} {value}") for name, value in document.items()))


@deadletters.command()
@filters
def replay(reasons: tuple[str, ...], since: str | None, until: str | None, limit: int) -> None:
    r"""Send dead letters back to `events`, value and key unchanged.

    Harmless to repeat and to interrupt: what was sent is noted in Kafka (group APP-replay) and not sent again, what was
    applied is not applied again, and a letter that came back as a new dead letter is replayed through that one only.
    Kafka forgets the notes a week after the last replay (offsets.retention.minutes): from then on repeat only letters that
    are newer (--since), for a visitor remembers no more than its last 1,024 letters.

    \b
    leadstream deadletters replay
    leadstream deadletters replay --reason schema_violation --reason unknown_type --since 2d
    """
    with _progress() as told:
        work = Resend(load(), Filter.asked(reasons, since, until, limit), told)
        run(_stoppable(work), lambda: _so_far(work))
    click.echo(f"{work.result.sent.total()} dead letters replayed" + _counted(work.result.sent))
    if work.result.sent and not work.keeps_notes:
        click.echo("the embedded broker keeps no notes of it: said again, the same letters are sent again", err=True)
    if work.result.skipped:
        click.echo(f"{work.result.skipped.total()} skipped" + _counted(work.result.skipped))


async def _stoppable(work: Resend) -> None:
    try:
        await work.run()
    except asyncio.CancelledError:
        click.echo(_so_far(work), err=True)
        raise


def _so_far(work: Resend) -> str:
    return f"{work.result.sent.total()} dead letters replayed; the same command goes on from there"


def _counted(counts: Counter[str]) -> str:
    told = ", ".join(f"{count} {what}" for what, count in counts.most_common())
    return f": {told}" if told else ""


@contextmanager
def _progress() -> Iterator[Told]:
    """Show a bar on stderr where somebody watches."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("replaying", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
