"""`leadstream erase`: a person or a visitor is gone, everywhere, and nothing that is older brings them back."""

import sys

import click

from stream.cli.words import PATIENCE_S
from stream.errors import NegativeAnswerError
from stream.settings import load


@click.command()
@click.argument("id_", metavar="ID")
@click.option("--yes", is_flag=True, help="Do not ask, though somebody sits at the terminal: it cannot be undone.")
@click.option("--url", metavar="URL", help="A worker; any answers. Default: WEB_HOST:WEB_PORT.")
@click.option("--wait", "patience_s", type=click.FloatRange(min=0), default=PATIENCE_S, show_default=True, metavar="SECONDS")
@click.option("--json", "as_json", is_flag=True, help='{"done", "text", "lead", "identities", "visitors"}')
def erase(id_: str, url: str | None, patience_s: float, *, yes: bool, as_json: bool) -> None:
    """Erase the person or visitor ID: a lead's id, also one merged away, or any identity. It cannot be undone.

    The person goes with all identities. Events from before, late or sent again, become dead letters (`erased`); what is done
    from now on begins anew. The CRM hears of it by lead.erased.v1. Returns when people and every partition of `events`
    have done it; Kafka's own files lose it within days or weeks (docs/privacy.md says when).
    `leadstream export ID` tells before what is known.

    \b
    leadstream erase email::buyer@acme.example
    leadstream erase anon::9f2c --yes --json

    Asks first where somebody sits at a terminal; a script is not asked.
    Exit 0: done; 1: nothing was known of ID, it is in the log and not done yet, or you said no; 2: no such kind of ID;
    3: Kafka does not answer.
    """  # noqa: D301 -- click's mark for lines to be kept
    import secrets

    from stream.cli.words import new_word, say, tell
    from stream.domain.graves import SALT_BYTES
    from stream.domain.log import Erasing
    from stream.named import named

    settings, word = load(), new_word()
    whom = named(id_, settings.phone_region)
    if not yes and sys.stdin is not None and sys.stdin.isatty():
        question = f"Erase {whom} with all identities of that person? It cannot be undone."
        if not click.confirm(question, err=True):
            raise NegativeAnswerError("nothing is erased")
    said = Erasing(word, whom, secrets.token_bytes(SALT_BYTES))
    tell(say(settings, said, word, url, patience_s), whom, as_json=as_json)
