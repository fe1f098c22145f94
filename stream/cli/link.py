"""`leadstream link`: an operator says that two identities are one person's."""

import click

from stream.cli.words import PATIENCE_S
from stream.settings import load


@click.command()
@click.argument("one", metavar="ID")
@click.argument("other", metavar="ID")
@click.option("--reason", default="", metavar="TEXT", help="Why; it stays in the log of people, for as long as that is kept.")
@click.option("--url", metavar="URL", help="A worker; any answers. Default: WEB_HOST:WEB_PORT.")
@click.option("--wait", "patience_s", type=click.FloatRange(min=0), default=PATIENCE_S, show_default=True, metavar="SECONDS")
@click.option("--json", "as_json", is_flag=True, help='{"done": true or false, "text": what was done, or why nothing was}')
def link(one: str, other: str, reason: str, url: str | None, patience_s: float, *, as_json: bool) -> None:
    """Make the two IDs one person, whatever an `unlink` said before; a shared device is shared no more.

    An ID is an identity, or a lead's id, also one merged away. Two leads become one: the one identified first goes on, with
    all sums added. Refused where one person would have two registrations of one kind, or too many identities.

    \b
    leadstream link user::42 anon::9f2c
    leadstream link lead_0687587883fab020 lead_68e1d67dcda070aa --reason "same phone, ticket 4711"

    \b
    Exit 0: done; 1: refused, or nothing to do, and why, or not decided yet; 2: no such kind of ID; 3: Kafka does not answer.
    """  # noqa: D301 -- click's mark for lines to be kept
    from stream.cli.words import new_word, say, tell
    from stream.domain.log import Linking
    from stream.named import linkable

    settings, word = load(), new_word()
    said = Linking(word, linkable(one, settings.phone_region), linkable(other, settings.phone_region), reason)
    tell(say(settings, said, word, url, patience_s), f"{said.one} and {said.other}", as_json=as_json)
