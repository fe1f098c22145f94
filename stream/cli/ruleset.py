"""`leadstream ruleset`: check a ruleset file, show the one in force, put another in force."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stream.cli.rules import rules_of
from stream.domain.ruleset.model import Ruleset
from stream.errors import NegativeAnswerError
from stream.settings import Settings, load

if TYPE_CHECKING:
    from stream.cli.rulesets import Rulesets

PATIENCE_S = 30
LEAST_S = 10
"""So long Kafka may take to find who keeps the commits, and to append, however short the patience with workers is."""


@click.group()
def ruleset() -> None:
    """Check, show or deploy a ruleset.

    \b
    leadstream ruleset show > rules.toml            # what is in force, to begin with
    leadstream ruleset check rules.toml             # every mistake of the changed file
    leadstream simulate week.ndjson --ruleset rules.toml
    leadstream ruleset deploy rules.toml            # in force everywhere, without a restart
    """  # noqa: D301 -- click's mark for lines to be kept


@ruleset.command()
@click.argument("file", type=click.Path(path_type=Path))
def check(file: Path) -> None:
    """Read FILE and tell every mistake, one a line: FILE:LINE: KEY: what is allowed. Exit 2 if there is one.

    What may be meant otherwise than it is written is asked about in the same form, and changes nothing.
    """
    rules = rules_of(file)
    for doubt in rules.doubts:
        click.echo(doubt.told(str(file)), err=True)
    click.echo(f"{file}: {_summary(rules)}")


@ruleset.command()
@click.option("--json", "as_json", is_flag=True, help='{"id", "hash", "since": offset in people, null: from the beginning}')
def show(*, as_json: bool) -> None:
    """Print the ruleset in force, as it was deployed; whether a worker runs or not.

    In an empty installation that is the file that LEADSTREAM_RULESET names, else the shipped one: the first worker puts it in
    force, and a line on stderr says so.
    """
    from stream.cli.connections import run

    settings = load()
    run(_show(settings, rules_of(settings.ruleset), as_json=as_json))


@ruleset.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--wait", "patience_s", type=click.FloatRange(min=0), default=PATIENCE_S, show_default=True, metavar="SECONDS",
    help="How long to wait while no worker gets any further.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help='{"id", "hash", "since": offset in people, "deployed": true or false}')
def deploy(file: Path, patience_s: float, *, as_json: bool) -> None:
    """Put the ruleset in FILE in force, everywhere at one place of the log; no worker is restarted.

    Returns when people and every partition of `events` judge by it. Nobody is moved by that: a lead meets the new conditions
    at its next event, or when something is due for it. What was added keeps its half-life.

    \b
    Exit 0: it is in force (also if it already was); 1: it is in the log, but not in force yet;
    2: FILE has mistakes, each told on a line; 3: Kafka does not answer.
    """  # noqa: D301 -- click's mark for lines to be kept
    from stream.cli.connections import run
    from stream.cli.rulesets import require_deployable

    rules = rules_of(file)
    require_deployable(rules, str(file))
    run(_deploy(load(), rules, patience_s, as_json=as_json))


async def _show(settings: Settings, own: Ruleset, *, as_json: bool) -> None:
    from stream.cli.rulesets import offset_of, rulesets_of
    from stream.domain.editions import loaded

    async with rulesets_of(settings) as rulesets:
        edition = await rulesets.in_force(own)
    if edition is None:
        click.echo("no ruleset is in force yet: the first worker puts its own in force, here this one", err=True)
    rules = own if edition is None else loaded(edition.text)
    if as_json:
        _tell({"id": rules.id, "hash": rules.hash, "since": None if edition is None else offset_of(edition.place)})
    else:
        click.echo(rules.text, nl=False)


async def _deploy(settings: Settings, rules: Ruleset, patience_s: float, *, as_json: bool) -> None:
    from stream.cli.rulesets import rulesets_of
    from stream.ops.group import FOUND_S

    async with rulesets_of(settings, min(max(patience_s, LEAST_S), FOUND_S)) as rulesets:
        commits = await rulesets.with_ends(await rulesets.commits())
        coming = await rulesets.coming(commits)
        place = commits.place_of(rules, coming)
        deployed = place is None
        if place is None:
            place = await rulesets.append(rules, again=coming is None and commits.are_under(rules))
        if deployed or coming is not None or commits.behind(place):
            await _come_into_force(rulesets, rules, place, patience_s)
    _say(rules, place, as_json=as_json, deployed=deployed)


async def _come_into_force(rulesets: "Rulesets", rules: Ruleset, place: int, patience_s: float) -> None:
    """Wait for what stands at a place in the log; raise NegativeAnswerError where it is not in force everywhere in the end."""
    from stream.cli.rulesets import offset_of

    what = f"{rules.called} is in the log, offset {offset_of(place)} of people"
    idle = await rulesets.members() == 0
    wait = f"no worker runs: it comes into force when one does; waiting {patience_s:g} s for that" if idle else "waiting"
    click.echo(f"{what}; {wait}", err=True)
    with _bar() as look:
        commits = await rulesets.wait(place, patience_s, look)
    behind = ", ".join(commits.behind(place))
    if behind and await rulesets.members() == 0:
        raise NegativeAnswerError(
            f"{what}, and not in force: no worker runs; start `leadstream worker`, it comes into force then"
        )
    if behind:
        raise NegativeAnswerError(f"{what}, and not in force yet in {behind}: see `leadstream lag`, and deploy again to wait on")
    if commits.people is not None and commits.people[1].place > place and not commits.are_under(rules):
        raise NegativeAnswerError(f"{what}, and another one came into force behind it: see `leadstream ruleset show`")


def _say(rules: Ruleset, place: int, *, as_json: bool, deployed: bool) -> None:
    from stream.cli.rulesets import offset_of

    since = offset_of(place)
    if as_json:
        _tell({"id": rules.id, "hash": rules.hash, "since": since, "deployed": deployed})
        return
    how = "" if deployed else " already"
    where = "from the beginning" if since is None else f"since offset {since} of people, and in every partition of events"
    click.echo(f"{rules.called} is in force{how}: {where}")


def _tell(document: dict[str, object]) -> None:
    import orjson

    click.echo(orjson.dumps(document))


@contextmanager
def _bar() -> Iterator[Callable[[int, int], None]]:
    """Show in how many places it is in force, at a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("in force", total=None)
        yield lambda places, behind: progress.update(task, total=places, completed=places - behind)


def _summary(rules: Ruleset) -> str:
    """Say in one line what a good file holds."""
    counts = {
        "behaviours": rules.behaviours,
        "tags": rules.tag_order,
        "sequences": rules.sequences,
        "fit rules": rules.fit,
        "stages": rules.stages,
        "routes": rules.routes,
    }
    said = ", ".join(f"{len(rules_of_kind)} {kind}" for kind, rules_of_kind in counts.items())
    return f"no mistakes; {rules.called}: {said}"
