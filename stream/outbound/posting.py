"""One attempt: the request as Standard Webhooks says, and what its answer means."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Final, Self

import aiohttp
import orjson
from yarl import URL

from stream.outbound import signing
from stream.outbound.status_line import Connector
from stream.outbound.target import Guard, GuardedResolver

TIMEOUT_S: Final = 20.0
CONNECTIONS: Final = 16
DRAIN_S: Final = 1.0
READ: Final = 65_536
FIELD: Final = 32_768
"""Bytes of a header; of an answer with a longer one the status counts, but its connection ends."""
GONE: Final = 410
LATER: Final = frozenset({429, 503})
"""Answers whose Retry-After is obeyed; after any other the schedule says when."""
AGENT: Final = "leadstream-webhook/1"


@dataclass(frozen=True, slots=True)
class Fact:
    """What is told: the webhook's id, its content type and its bytes; `at_ms` is Kafka's timestamp."""

    id: str
    content_type: str
    body: bytes
    at_ms: int = 0


@dataclass(frozen=True, slots=True)
class Failed:
    """An attempt that was in vain: why, in a few words; when to come again, if the answer says so (s).

    `status` is the answer's, None where there was none.
    """

    why: str
    retry_after_s: float | None = None
    gone: bool = False
    status: int | None = field(default=None, compare=False)


Post = Callable[[Fact], Awaitable[Failed | None]]


class Poster:
    """Posts to one address; use it as an async context manager."""

    def __init__(
        self,
        url: URL,
        secrets: Sequence[bytes],
        guard: Guard,
        clock: Callable[[], float] = time.time,
        watched: Callable[[Post], Post] = lambda attempt: attempt,
    ) -> None:
        """Take the checked address and the secrets, all of which sign; `watched` may note how each attempt goes."""
        self._url, self._secrets, self._clock = url, secrets, clock
        self._attempt = watched(self._attempt_at_once)
        self._connector = Connector(limit=0, resolver=GuardedResolver(guard, named_only=url.scheme == "http"), ttl_dns_cache=30)
        self._slots = asyncio.Semaphore(CONNECTIONS)  # before the clock starts: waiting for others is no failure
        self._session = aiohttp.ClientSession(
            connector=self._connector,
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"user-agent": AGENT},
            auto_decompress=False,  # nobody reads a body: one that cannot be unpacked here is as good as any
            max_field_size=FIELD,
        )

    async def __aenter__(self) -> Self:
        """Begin."""
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the connections."""
        await self._session.close()

    async def post(self, fact: Fact) -> Failed | None:
        """Try once; None: it is delivered, which any 2xx says."""
        async with self._slots:
            return await self._attempt(fact)

    async def _attempt_at_once(self, fact: Fact) -> Failed | None:
        signed = signing.headers(self._secrets, fact.id, int(self._clock()), fact.body)
        headers = {"content-type": fact.content_type, **signed}
        try:
            async with self._session.post(self._url, data=fact.body, headers=headers, allow_redirects=False) as answer:
                await _drained(answer)
                return self._judged(answer.status, answer.headers.get("Retry-After"))
        except TimeoutError:
            return Failed(f"no answer within {TIMEOUT_S:.0f} s")
        except aiohttp.ClientResponseError as error:  # no HTTP, perhaps behind a status
            return self._judged(error.status, None) if error.status else Failed(_why(error))
        except (aiohttp.ClientError, OSError) as error:
            return Failed(_why(error))

    def _judged(self, status: int, retry_after: str | None) -> Failed | None:
        if 200 <= status < 300:
            return None
        after = retry_after_s(retry_after, self._clock()) if status in LATER else None
        return Failed(f"answered {status}", after, gone=status == GONE, status=status)


def _why(error: Exception) -> str:
    """Say what went wrong by host and port at most: the address's path may be a secret, and an answer may repeat it."""
    if isinstance(error, aiohttp.ClientResponseError):
        return f"answered no HTTP: {error.message.partition(':')[0]}"
    if isinstance(error, aiohttp.ClientConnectorError):
        return str(error)
    return os.strerror(error.errno) if isinstance(error, OSError) and error.errno else type(error).__name__


async def _drained(answer: aiohttp.ClientResponse) -> None:
    """Read what an answer says, so that its connection can be used again; whatever that is, its status has said all."""
    with suppress(aiohttp.ClientError, OSError):
        async with asyncio.timeout(DRAIN_S):
            await answer.content.read(READ)


def retry_after_s(told: str | None, now_s: float) -> float | None:
    """Return the seconds that a Retry-After means, given as such or as a date; None where it is neither.

    >>> retry_after_s("120", 0), retry_after_s("Thu, 01 Jan 1970 00:01:00 GMT", 10), retry_after_s("soon", 0)
    (120.0, 50.0, None)
    """
    if told is None:
        return None
    if told.isascii() and told.isdecimal() and len(told) < 10:
        return float(told)
    try:
        at = parsedate_to_datetime(told)
        return max(0.0, (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now_s)
    except (ValueError, OverflowError):
        return None


def parse_kind(told: bytes | None, fallback: str) -> str:
    """Return a content type as a header may bear it; `fallback` where there is none."""
    kind = (told or b"").decode("latin-1")
    return kind if kind.isascii() and kind.isprintable() and kind else fallback


def parse_id(body: bytes, fallback: str) -> str:
    """Return the id of a CloudEvent, which a repeat has again; `fallback` where the bytes have none."""
    try:
        id_ = orjson.loads(body)["id"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return fallback
    return id_ if isinstance(id_, str) and id_.isascii() and id_.isprintable() and 0 < len(id_) <= 256 else fallback
