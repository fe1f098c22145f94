"""`leadstream ruleset`: check a ruleset file, show the configured one."""

from pathlib import Path

import click

from stream.cli.rules import rules_of
from stream.domain.ruleset.model import Ruleset
from stream.settings import load


@click.group()
def ruleset() -> None:
    """Check, show or deploy a ruleset."""


@ruleset.command()
@click.argument("file", type=click.Path(path_type=Path))
def check(file: Path) -> None:
    """Read FILE and tell every mistake, one a line: FILE:LINE: KEY: what is allowed. Exit 2 if there is one."""
    click.echo(f"{file}: {_summary(rules_of(file))}")


@ruleset.command()
def show() -> None:
    """Print the ruleset that LEADSTREAM_RULESET names, else the shipped one; it seeds an empty installation."""
    click.echo(rules_of(load().ruleset).text, nl=False)


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
    return f"no mistakes; {rules.id} ({rules.hash}): {said}"
