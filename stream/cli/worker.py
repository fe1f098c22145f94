"""`leadstream worker`: one worker, after a look at whether it can work."""

import os
import sys

import click

from stream import settings as all_settings
from stream.cli.connections import admin_client, run
from stream.errors import UsageError
from stream.runtime.topics import create_missing, differences, is_embedded, topic_table
from stream.settings import PREFIX, Settings, load


class _WithSettings(click.Command):
    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 -- click's
        with formatter.section("Settings, in the environment or a .env file [default]"):
            formatter.write_dl([(name, f"{text} [{default}]") for name, default, text in all_settings.rows()])


@click.command(cls=_WithSettings)
def worker() -> None:
    """Run one worker: it reads events, keeps visitors and people, and sends stage changes.

    Start as many as there are partitions; they share the work as one consumer group. `faust -A stream.app worker` is
    the same thing. SIGTERM or Ctrl-C ends it after a last checkpoint.
    """
    settings = load()
    if run(_prepare(settings)):
        os.environ[f"{PREFIX}KAFKA_EMBEDDED"] = "true"
    _work(settings)


async def _prepare(settings: Settings) -> bool:
    """Find Kafka and the topics, create what is missing, and tell whether it is the embedded broker."""
    wanted = topic_table(settings)
    async with admin_client(settings) as admin:
        for name in await create_missing(admin, wanted):
            click.echo(f"created topic {name}", err=True)
        wrong = [line for line in await differences(admin, wanted) if ": partitions " in line]
        if wrong:
            raise UsageError(f"{wrong[0]}: set {PREFIX}PARTITIONS to what is there, or another {PREFIX}TOPIC_PREFIX")
        return settings.kafka_embedded or await is_embedded(admin)


def _work(settings: Settings) -> None:
    from faust.cli.faust import cli
    from mode.loop import use

    if _has_uvloop():
        use("uvloop")  # Faust looks for its option --loop when it is imported: that was before
    options = ["--quiet"] if settings.log_format == "json" else []
    words = [*options, "-A", "stream.app", "worker", "--loglevel", settings.log_level, "--without-web"]
    sys.argv = ["faust", *words]  # Faust looks there for its own options before click does
    cli(args=words, prog_name="leadstream", standalone_mode=False)


def _has_uvloop() -> bool:
    from importlib.util import find_spec

    return find_spec("uvloop") is not None
