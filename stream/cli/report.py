"""`leadstream report`: what marketing asks about all companies at once."""

import click

from stream.cli.report_networks import networks
from stream.cli.report_reach import reach


@click.group()
def report() -> None:
    """Ask about all companies at once. Reports read; they change nothing."""


report.add_command(reach)
report.add_command(networks)
