"""`leadstream worker`: one worker, after a look at whether it can work."""

import gc
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import ModuleType
from typing import cast

import click

from stream import settings as all_settings
from stream.cli.connections import admin_client, run
from stream.errors import UsageError
from stream.ops.ownership import require_own
from stream.runtime.topics import FREE, create_missing, differences, is_embedded, topic_table
from stream.settings import PREFIX, Settings, load


class _WithSettings(click.Command):
    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 -- click's
        with formatter.section("Settings, in the environment or a .env file [default]"):
            formatter.write_dl([(name, f"{text} [{default}]") for name, default, text in all_settings.rows()])


@click.command(cls=_WithSettings)
@click.option(
    "--deploy", is_flag=True, help="Put this worker's ruleset (LEADSTREAM_RULESET) in force, for all, if another one is."
)
def worker(*, deploy: bool) -> None:
    """Run one worker: it reads events, keeps visitors and people, and sends stage changes.

    Start as many as there are partitions; they share the work as one consumer group. `faust -A stream.app worker` is
    the same thing. SIGTERM or Ctrl-C ends it after a last checkpoint.

    An empty installation takes the ruleset of its first worker. Afterwards a worker goes on with the one in force, and
    says so where its own file differs: `leadstream ruleset deploy FILE`, or `worker --deploy`, puts another in force.
    """
    settings = load()
    with ThreadPoolExecutor(1) as beside:
        looked = beside.submit(run, _prepare(settings))
        _import_faust()  # while Kafka answers
    embedded = looked.result()
    if deploy:
        run(_deploy(settings))
    _work(settings, embedded=embedded)


async def _prepare(settings: Settings) -> bool:
    """Find Kafka and the topics, see that they are ours, create what is missing, and tell whether it is the embedded broker."""
    wanted = topic_table(settings)
    async with admin_client(settings) as admin:
        embedded = settings.kafka_embedded or await is_embedded(admin)
        if not embedded:
            await require_own(admin, settings)
        for name in await create_missing(admin, wanted):
            click.echo(f"created topic {name}", err=True)
        placed = [topic for topic in wanted if topic.name.removeprefix(settings.topic_prefix) not in FREE]
        wrong = [line for line in await differences(admin, placed) if ": partitions " in line]
        if wrong:
            raise UsageError(
                f"{wrong[0]}: set {PREFIX}PARTITIONS to what all topics have, or start anew under another "
                f"{PREFIX}APP and {PREFIX}TOPIC_PREFIX"
            )
        return embedded


async def _deploy(settings: Settings) -> None:
    """Append the worker's ruleset to the log of people unless it is in force everywhere, or stands there already."""
    from stream.cli.rules import rules_of
    from stream.cli.rulesets import offset_of, require_deployable, rulesets_of

    rules = rules_of(settings.ruleset)
    require_deployable(rules, str(settings.ruleset))
    async with rulesets_of(settings) as rulesets:
        commits = await rulesets.with_ends(await rulesets.commits())
        coming = await rulesets.coming(commits)
        if commits.place_of(rules, coming) is None:
            place = await rulesets.append(rules, again=coming is None and commits.are_under(rules))
            click.echo(f"ruleset {rules.called} is deployed: offset {offset_of(place)} of people", err=True)


def _import_faust() -> None:
    gc.disable()  # nothing that is imported is garbage: a tenth of the start; the app switches it on again
    with _without_extras():
        import faust.app.base
        import faust.cli.worker  # noqa: F401 - of all its commands only this one


def _work(settings: Settings, *, embedded: bool) -> None:
    from faust.cli.base import cli
    from mode.loop import use

    if _has_uvloop():
        use("uvloop")  # Faust looks for its option --loop when it is imported: that was before
    from stream.app import app

    app.embedded = embedded
    options = ["--quiet"] if settings.log_format == "json" else []
    words = [*options, "-A", "stream.app", "worker", "--loglevel", settings.log_level, "--without-web"]
    sys.argv = ["faust", *words]  # Faust looks there for its own options before click does
    cli(args=words, prog_name="leadstream", standalone_mode=False)


@contextmanager
def _without_extras() -> Iterator[None]:
    """Hide from Faust what it imports and nobody here asks for: a fifth of the start.

    aiohttp is wanted for the name of a type (the pages import it later), croniter for timers by crontab, yaml for a codec.
    """
    client, timer = ModuleType("aiohttp.client"), ModuleType("croniter.croniter")
    client.ClientSession, timer.croniter = object, None  # type: ignore[attr-defined]  # they are made here
    hidden = {
        "aiohttp": ModuleType("aiohttp"), client.__name__: client,
        "croniter": ModuleType("croniter"), timer.__name__: timer, "yaml": None,
    }  # fmt: skip
    hidden = {name: module for name, module in hidden.items() if name.partition(".")[0] not in sys.modules}
    sys.modules.update(cast("dict[str, ModuleType]", hidden))  # None: not installed
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


def _has_uvloop() -> bool:
    from importlib.util import find_spec

    return find_spec("uvloop") is not None
