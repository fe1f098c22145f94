"""The demo's look at the worker's own pages."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

import aiohttp

from stream.demo.traffic import Event
from stream.settings import Settings

READY_S = 10.0
LOOKED_AT = 40
OK = 200


def busiest(events: Iterable[Event]) -> list[str]:
    """Return the devices with most events, busiest first."""
    seen = Counter(event["anonymousId"] for event in events if isinstance(event.get("anonymousId"), str))
    return [device for device, _ in seen.most_common(LOOKED_AT)]


class Pages:
    """Asks the worker over HTTP; `async with` opens and closes the session."""

    def __init__(self, settings: Settings) -> None:
        self.url = settings.web_url
        self._token = settings.web_token
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        self._session = aiohttp.ClientSession(headers=headers, timeout=aiohttp.ClientTimeout(total=2))
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._session.close()

    async def ready(self) -> None:
        """Wait until the worker says that it works; not for ever, since nothing is lost by sending early."""
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline and await self._get("/health/ready") is None:  # noqa: ASYNC110 -- of others
            await asyncio.sleep(0.1)

    async def of_companies(self, devices: Iterable[str], count: int) -> list[dict[str, Any]]:
        """Return the first visitor, no robot, of each of the first `count` businesses that are found by address."""
        found: dict[str, dict[str, Any]] = {}
        for device in devices:
            visitor = await self._get(f"/v1/visitors/anon::{device}")
            if visitor and visitor["company"] and visitor["company"]["kind"] == "business" and not visitor["bot"]:
                found.setdefault(visitor["company"]["name"], visitor)
            if len(found) == count:
                break
        return list(found.values())

    async def _get(self, path: str) -> Any:
        """Return the answer; None where there is none."""
        try:
            async with self._session.get(self.url + path) as answer:
                return await answer.json(content_type=None) if answer.status == OK else None
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return None
