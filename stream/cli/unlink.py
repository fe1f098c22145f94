"""`leadstream unlink`: an operator says that two identities are two persons'."""

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
def unlink(one: str, other: str, reason: str, url: str | None, patience_s: float, *, as_json: bool) -> None:
    """Take the second ID from the first one's person, with what is linked to that person through it alone.

    Each side has its own sums and stage again, and no event brings any two of them together, until `leadstream link`. An ID is
    an identity, or a lead's id: of one that was merged away, to undo the merge.

    \b
    leadstream unlink user::42 anon::9f2c --reason "the reception's tablet"
    leadstream unlink lead_0687587883fab020 lead_68e1d67dcda070aa --reason "two colleagues, one mailbox"

    \b
    Exit 0: done; 1: nothing to do, and why, or not decided yet; 2: no such kind of ID; 3: Kafka does not answer.
    """  # noqa: D301 -- click's mark for lines to be kept
    from stream.cli.words import new_word, say, tell
    from stream.domain.log import Unlinking
    from stream.named import named

    settings, word = load(), new_word()
    said = Unlinking(word, named(one, settings.phone_region), named(other, settings.phone_region), reason)
    tell(say(settings, said, word, url, patience_s), f"{said.one} and {said.other}", as_json=as_json)
