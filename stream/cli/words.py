"""How a command says an operator's word: appended to the log of people, then asked for until it is decided."""

import secrets
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import click

from stream.errors import NegativeAnswerError, UnreachableError
from stream.settings import Settings

if TYPE_CHECKING:
    from stream.domain.log import Record

PATIENCE_S: Final = 30.0
"""How long a decision is waited for."""
AGAIN_S: Final = 0.1


def new_word() -> str:
    """Return a name for a word that nobody has said."""
    return secrets.token_hex(16)


def say(
    settings: Settings, record: "Record", word: str, url: str | None = None, patience_s: float = PATIENCE_S
) -> dict[str, Any]:
    """Append a word and return what was decided: `{"done": bool, "text": str, …}`.

    All together takes no longer than `patience_s`, and as little more as a request may take.

    Raises:
        NegativeAnswerError: it is in the log, and not decided after `patience_s`.
        UsageError: there is no topic `people`, `url` is no address, or the worker wants a token; nothing is said then.
        UnreachableError: Kafka does not answer.
    """
    from stream.cli.connections import run
    from stream.web import client

    deadline, trouble = time.monotonic() + patience_s, ""
    with suppress(UnreachableError):  # an address that is none, or a token that is missing, is told before anything is said
        client.word_of(settings, word, url)
    offset = run(_append(settings, record, patience_s))
    while True:
        try:
            decided = client.word_of(settings, word, url)
        except UnreachableError as error:
            decided, trouble = None, f"; {error}"
        if decided is not None:
            return decided
        if time.monotonic() > deadline:
            where = f"it is in the log, offset {offset} of people, and decided as soon as a worker reads that"
            raise NegativeAnswerError(f"not decided after {patience_s:g} s: {where}{trouble}")
        time.sleep(AGAIN_S)


def tell(decided: dict[str, Any], whom: str, *, as_json: bool) -> None:
    """Say what was decided about whom; end with exit code 1 where nothing was done."""
    if as_json:
        import orjson

        click.echo(orjson.dumps(decided))
        click.get_current_context().exit(0 if decided["done"] else 1)
    elif decided["done"]:
        click.echo(f"{whom}: {decided['text']}")
    else:
        raise NegativeAnswerError(f"{whom}: {decided['text']}")


async def _append(settings: Settings, record: "Record", patience_s: float) -> int:
    from stream.cli.connections import admin_client, producer_client, require_topic
    from stream.domain.log import encode

    topic = settings.topic("people")
    async with admin_client(settings) as admin:
        await require_topic(admin, topic)
    async with producer_client(settings, patience_s) as producer:
        sent = await producer.send_and_wait(topic, encode(record), partition=0)
    return int(sent.offset)
