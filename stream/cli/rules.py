"""What commands read before they start: the ruleset and the look-up files that were named."""

from pathlib import Path

import click

from stream import rulesets
from stream.domain.ruleset.load import load
from stream.domain.ruleset.mistakes import RulesetError
from stream.domain.ruleset.model import Ruleset
from stream.errors import UsageError
from stream.intake import Intake
from stream.lookups import Lookups
from stream.settings import Settings


def rules_of(path: Path | None) -> Ruleset:
    """Load the ruleset at `path`, the shipped one where there is none; a mistake ends the command with every one told."""
    try:
        text = rulesets.default_text() if path is None else path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}: name a readable ruleset file") from error
    try:
        return load(text, str(path or "the shipped ruleset"))
    except RulesetError as error:
        click.echo(str(error), err=True)
        raise click.exceptions.Exit(UsageError.exit_code) from error


def intake_of(settings: Settings, rules: Ruleset, ranges: Path | None = None) -> Intake:
    """Make the reader of events with the look-up files of the settings; `ranges` goes before COMPANY_RANGES."""
    lookups = Lookups(ranges or settings.company_ranges, settings.mmdb, settings.asn, settings.lists)
    return Intake(lookups, settings.phone_region, {stage.name for stage in rules.stages})
