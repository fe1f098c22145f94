"""`leadstream webhook`: tell a CRM without Kafka what changes, by signed webhooks."""

import asyncio
import logging.config
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import click
from yarl import URL

from stream.cli.connections import admin_client, require_topic, run
from stream.errors import NegativeAnswerError, UsageError
from stream.ops import group
from stream.outbound.delivering import Gone
from stream.outbound.meter import Meter
from stream.outbound.pages import answering
from stream.outbound.posting import Poster
from stream.outbound.service import Outbound, Plan
from stream.outbound.signing import read_secret
from stream.outbound.target import Guard
from stream.runtime.topics import create_missing, letters_topic
from stream.settings import PREFIX, Settings, load

T = TypeVar("T")
logger = logging.getLogger(__name__)


@click.command()
@click.option("--once", is_flag=True, help="End when everything is told that lies in the topic now.")
@click.option("--letters", is_flag=True, help="Tell the dead letters again instead, once.")
def webhook(*, once: bool, letters: bool) -> None:
    r"""Post each fact of `stage-changes` to LEADSTREAM_WEBHOOK_URL, signed as Standard Webhooks says.

    Facts of one lead come in their order, one after another; leads do not wait for each other. One that is not answered
    2xx is posted again, after 5 s, 30 s, 2 min … a day, for LEADSTREAM_WEBHOOK_PATIENCE; then it goes to the topic
    `outbound-dead-letters`. Ended and started again it goes on where it was; a fact may come twice then, always with the
    same webhook-id. Several may run: they share the work as one consumer group.

    \b
    LEADSTREAM_WEBHOOK_URL=https://crm.example.com/hooks LEADSTREAM_WEBHOOK_SECRETS=whsec_… leadstream webhook

    It goes to public addresses by https; a receiver in your own network has to be named in LEADSTREAM_WEBHOOK_NETWORKS.
    LEADSTREAM_WEBHOOK_PORT, on LEADSTREAM_WEB_HOST, is where Prometheus finds /metrics.
    """  # fmt: skip
    from stream import logs

    settings = load()
    target = _target(settings)
    logging.config.dictConfig(logs.config(settings.log_level, settings.log_format))
    try:
        run(_deliver(settings, target, once=once, letters=letters))
    except Gone as gone:
        raise NegativeAnswerError(
            f"{target.url.origin()} {gone}: the receiver wants no more webhooks; started again, this goes on where it was"
        ) from gone


@dataclass(frozen=True)
class _Target:
    """Where to, and how it is signed; of the address only the origin is told, for a token may stand behind it."""

    url: URL
    secrets: Sequence[bytes]
    guard: Guard


def _target(settings: Settings) -> _Target:
    """Check the settings; raises UsageError."""
    if not settings.webhook_url or not settings.webhook_secrets:
        raise UsageError(f"set {PREFIX}WEBHOOK_URL and {PREFIX}WEBHOOK_SECRETS (`openssl rand -base64 32` after whsec_)")
    guard = _checked("NETWORKS", lambda: Guard(settings.webhook_networks))
    return _Target(
        url=_checked("URL", lambda: guard.check(settings.webhook_url or "")),
        secrets=_checked("SECRETS", lambda: [read_secret(text) for text in settings.webhook_secrets]),
        guard=guard,
    )


def _checked(name: str, read: Callable[[], T]) -> T:
    try:
        return read()
    except ValueError as error:
        raise UsageError(f"{PREFIX}WEBHOOK_{name}: {error}") from error


async def _deliver(settings: Settings, target: _Target, *, once: bool, letters: bool) -> None:
    facts, dead = settings.topic("stage-changes"), letters_topic(settings).name
    await _prepare(settings, facts)
    plan = Plan(
        topic=dead if letters else facts,
        letters=dead,
        group=f"{settings.app}-webhook-letters" if letters else f"{settings.app}-webhook",
        patience_s=settings.webhook_patience.total_seconds(),
        session_s=settings.session_timeout.total_seconds(),
        once=once or letters,
    )
    meter = Meter()
    poster = Poster(target.url, target.secrets, target.guard, watched=meter.metered)
    async with answering(settings, meter), poster:
        outbound = Outbound(plan, settings.client(), poster.post, meter)
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, outbound.stop)
        logger.info("ready: %s goes to %s", plan.topic, target.url.origin())
        await outbound.run()


async def _prepare(settings: Settings, facts: str) -> None:
    """Look whether the facts are there, and make the topic of dead letters."""
    async with admin_client(settings) as admin:
        await group.anyone(lambda: require_topic(admin, facts))
        await group.anyone(lambda: create_missing(admin, [letters_topic(settings)]))
