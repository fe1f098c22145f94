"""The command `leadstream`: what it can do, one small file a command, loaded when it is asked for."""

import errno
import gc
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import click

from stream.cli.leaving import SHELL
from stream.errors import CommandError

# Command, module (and its attribute of the same name), group of the help, one line. The modules are heavy: --help reads
# only this table.
COMMANDS = (
    ("demo", "stream.cli.demo", "Start here", "Everything at once on sample visitors: broker, worker, collector."),
    ("simulate", "stream.cli.simulate", "Start here", "Run the rules over a file, without Kafka."),
    ("ruleset", "stream.cli.ruleset", "Start here", "Check, show or deploy a ruleset."),
    ("broker", "stream.cli.broker", "Run", "The embedded broker alone."),
    ("topics", "stream.cli.topics", "Run", "Create the topics, or check them."),
    ("worker", "stream.cli.worker", "Run", "Work: events in, stage changes out."),
    ("collector", "stream.cli.collector", "Run", "Take events by HTTP."),
    ("webhook", "stream.cli.webhook", "Run", "Tell a CRM without Kafka what changes, by signed webhooks."),
    ("send", "stream.cli.send", "Run", "Publish events or access logs from files."),
    ("copy", "stream.cli.copy", "Run", "Take over what another installation received, as history."),
    ("visitor", "stream.cli.visitor", "Look", "What is known about a visitor, and why."),
    ("lead", "stream.cli.lead", "Look", "What is known about a lead, and why."),
    ("account", "stream.cli.account", "Look", "What is known about a company: who is there, who is missing."),
    ("report", "stream.cli.report", "Look", "All companies at once: reach of target lists, networks to name."),
    ("lag", "stream.cli.lag", "Look", "How far behind each partition is."),
    ("canary", "stream.cli.canary", "Look", "How long an event takes to the CRM, without touching a lead."),
    ("deadletters", "stream.cli.deadletters", "Look", "List, show or replay what could not be processed."),
    ("link", "stream.cli.link", "Mend", "Say that two identities are one person."),
    ("unlink", "stream.cli.unlink", "Mend", "Say that two identities are two persons."),
    ("export", "stream.cli.export", "Mend", "Everything known about a person, as JSON."),
    ("erase", "stream.cli.erase", "Mend", "Erase a person or visitor, everywhere."),
    ("resync", "stream.cli.resync", "Mend", "Let every linked visitor send its snapshot again."),
)

_MODULES = {name: module for name, module, _, _ in COMMANDS}

EPILOG = """\b
Settings are LEADSTREAM_… in the environment or in a .env file: `leadstream worker --help` lists them.
Exit codes: 0 done, 1 negative answer, 2 wrong usage or configuration, 3 Kafka not reachable."""


FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
"""What the system says of output that finds no room. Any other of its errors is a bug of ours, with a traceback: a service that
ends with 2 is not started again."""


class NobodyReadsError(Exception):
    """Who read what a command says has gone: `| head` has enough."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- click's signature
        """Name the commands that this installation has, in the order of the table."""
        return [name for name, module, _, _ in COMMANDS if _exists(module)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 -- likewise
        """Import one command."""
        if cmd_name not in _MODULES or not _exists(_MODULES[cmd_name]):
            return None
        gc.disable()  # nothing that is imported is garbage: a tenth of the time
        command: click.Command = getattr(import_module(_MODULES[cmd_name]), cmd_name)
        gc.enable()
        _keep_lines(command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands by what one wants, from the table alone."""
        there = set(self.list_commands(ctx))
        for section in dict.fromkeys(group for _, _, group, _ in COMMANDS):
            lines = [(name, text) for name, _, group, text in COMMANDS if group == section and name in there]
            if lines:
                with formatter.section(section):
                    formatter.write_dl(lines)

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Read the words; prints help and version, too."""
        with _told_apart():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Run what was asked for."""
        with _told_apart():
            return super().invoke(ctx)

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run a command; every error is one line on stderr and an exit code."""
        if not args and not kwargs:
            _refuse_bytes(sys.argv[1:])
            _spell_out()
            kwargs["obj"] = SHELL
        kwargs |= {"standalone_mode": False, "prog_name": "leadstream"}
        try:
            sys.exit(super().main(*args, **kwargs) or 0)
        except CommandError as error:
            _end(str(error), error.exit_code)
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message(), err=True)
            sys.exit(2)
        except click.UsageError as error:
            where = error.ctx.command_path if error.ctx else "leadstream"
            _end(f"{error.format_message()} `{where} --help` tells more", 2)
        except click.ClickException as error:
            _end(error.format_message(), 2)
        except (click.Abort, KeyboardInterrupt):
            _end("stopped", 130)
        except NobodyReadsError:
            _fall_silent()
            sys.exit(0)
        except OSError as error:
            if error.errno not in FULL:
                raise
            _end(f"cannot write: {error.strerror}: make room, or write elsewhere", 2)


@contextmanager
def _told_apart() -> Iterator[None]:
    """Give a pipe that nobody reads to its end a name of its own: click would end the command with 1."""
    try:
        yield
    except BrokenPipeError as error:
        raise NobodyReadsError from error


def _spell_out() -> None:
    """Write a letter that the terminal's encoding lacks as its number, where Python would end."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


def _fall_silent() -> None:
    """Write no more: the interpreter would try again at its end, with words of its own and another exit code."""
    sys.stdout = sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 -- to the end of the process


def _keep_lines(command: click.Command) -> None:
    """Let click keep the lines of examples: in a raw docstring its mark, a backspace, is two signs."""
    command.help = command.help and command.help.replace("\\b\n", "\b\n")
    for each in command.commands.values() if isinstance(command, click.Group) else ():
        _keep_lines(each)


def _refuse_bytes(words: Iterable[str]) -> None:
    """Refuse a word that is no UTF-8: no id, no reason is; the name of a file may be."""
    for word in words:
        if not _is_text(word) and not _is_there(word.partition("=")[2] if word.startswith("-") else word):
            _end(f"{word!r} is not UTF-8", 2)


def _is_text(word: str) -> bool:
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_there(path: str) -> bool:
    with suppress(OSError):  # too long a name
        return Path(path).exists()
    return False


def _exists(module: str) -> bool:
    from importlib.util import find_spec

    return find_spec(module) is not None


def _end(line: str, code: int) -> None:
    one_line = " ".join(line.split())
    try:
        click.echo(f"leadstream: {one_line}", err=True)
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        _fall_silent()
    sys.exit(code)


def _print_version(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if not asked or ctx.resilient_parsing:
        return
    from importlib.metadata import PackageNotFoundError, version

    try:
        click.echo(f"leadstream, version {version('leadstream')}")
    except PackageNotFoundError:
        click.echo("leadstream, version unknown (not installed)")
    ctx.exit()


@click.group(cls=LazyGroup, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Show the version and exit."
)
def main() -> None:
    """Turn what visitors do on a website into decaying interest, leads and stage changes for a CRM.

    Events go into Kafka, three small keyed tables change, facts come out.
    """
