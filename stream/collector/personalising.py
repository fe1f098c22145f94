"""`GET /v1/personalise?anonymousId=…`: what a page or a menu may show to whoever looks at it.

    {"company": {"name", "domain", "kind", columns of the ranges file …} | null,
     "tags": [{"tag", "weight"} …] the five heaviest, "journey": name | null, "stage": name}

A first visit is known by its address alone, and at once. Of a visitor that was here before, a worker is asked for its tags, and
for journey and stage of its lead: for 12 ms, then the answer goes without (`Cache-Control: no-store`), and the next one, a
moment later, has it. Nobody can ask by e-mail or user id, only by the cookie they hold. No identity, address, network or score
is told; what the columns of the ranges file say is. A browser that sends `Sec-GPC: 1` or `DNT: 1` learns
nothing, whatever the key's `consent`.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from math import inf
from typing import Any, Final
from urllib.parse import quote

from stream.collector import consent
from stream.collector.answers import Answer, json_answer
from stream.collector.gate import Gate
from stream.collector.incoming import write_key_of
from stream.collector.ip_retention import Names
from stream.collector.origins import page_of
from stream.collector.request import Refused, Request
from stream.domain.event import Company
from stream.domain.ids import id_of
from stream.settings import PREFIX

PATIENCE_S: Final = 0.012
FRESH_S: Final = 10.0
REMEMBERED: Final = 20_000
AT_ONCE: Final = 64
TELL_S: Final = 60.0
"""How often the log says that no worker can be asked."""
TAGS: Final = 5
FIRST_STAGE: Final = "visitor"

_KNOWN: Final = (b"cache-control", b"private, max-age=30")
_NOT_KNOWN: Final = (b"cache-control", b"no-store")
_VARY: Final = (b"vary", b"Origin, Authorization, Sec-GPC, DNT")
_NOT_TOLD: Final = frozenset({"id", "confidence", "source", "network", "as_of"})

Document = dict[str, Any]
Ask = Callable[[str], Awaitable[Document | None]]
"""Returns the document at a path of the worker; None: there is none. Raises OSError where nobody answers."""

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Profile:
    at_s: float
    company: Document | None
    tags: list[Document]
    journey: str | None
    stage: str


class Profiles:
    """What the worker knows of visitors, remembered for a moment; at most so many questions are on their way."""

    def __init__(self, ask: Ask) -> None:
        """Begin with nothing."""
        self._ask = ask
        self._known: OrderedDict[str, _Profile] = OrderedDict()
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._told_at_s = -inf

    async def of(self, anonymous_id: str) -> _Profile | None:
        """Return what is known of a visitor, perhaps of a moment ago; None where that is not known in time."""
        known = self._fresh(anonymous_id)
        if known is not None:
            return known
        task = self._asking.get(anonymous_id)
        if task is None:
            if len(self._asking) >= AT_ONCE:
                return None
            task = self._asking[anonymous_id] = asyncio.create_task(self._learn(anonymous_id))
        await asyncio.wait((task,), timeout=PATIENCE_S)
        return self._fresh(anonymous_id)

    def _fresh(self, anonymous_id: str) -> _Profile | None:
        """Return what is remembered, unless it has grown old."""
        known = self._known.get(anonymous_id)
        is_fresh = known is not None and asyncio.get_running_loop().time() - known.at_s < FRESH_S
        return known if is_fresh else None

    async def _learn(self, anonymous_id: str) -> None:
        node = quote(f"anon::{anonymous_id}", safe="")
        try:
            visitor, lead = await asyncio.gather(self._ask(f"/v1/visitors/{node}"), self._ask(f"/v1/leads/{node}"))
        except (OSError, TimeoutError) as error:
            self._tell(error)
            return
        finally:
            del self._asking[anonymous_id]
        told = lead or visitor or {}
        self._known[anonymous_id] = _Profile(
            asyncio.get_running_loop().time(),
            (visitor or {}).get("company") or (lead or {}).get("account"),
            told.get("tags", [])[:TAGS],
            told.get("journey"),
            lead["stage"]["name"] if lead else FIRST_STAGE,
        )
        self._known.move_to_end(anonymous_id)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)

    def _tell(self, error: OSError) -> None:
        """Say now and then that pages are told nothing of visitors, and why."""
        now_s = asyncio.get_running_loop().time()
        if now_s - self._told_at_s < TELL_S:
            return
        self._told_at_s = now_s
        logger.warning(
            "no worker can be asked, so that /v1/personalise knows visitors by their address alone: %s: start one, or set %s",
            error,
            f"{PREFIX}WORKER_URL",
        )


class Personalising:
    """The page; `names` knows whose an address is, None where no look-up file is set."""

    def __init__(self, gate: Gate, names: Names | None, profiles: Profiles) -> None:
        self._gate, self._names, self._profiles = gate, names, profiles

    async def page(self, request: Request) -> Answer:
        """Answer a visitor's browser."""
        key = self._gate.keys.find(write_key_of(request))
        key.check(page_of(request.headers, image=False))
        if consent.refused_by_browser(request.headers) is not None:
            return _answer(None, None)
        told = request.arguments.get("anonymousId")
        visitor = id_of(told)
        if told and visitor is None:
            raise Refused(400, "no_identity", "anonymousId is no id: leave it out for a first visit")
        profile = None if visitor is None else await self._profiles.of(visitor)
        return _answer(self._company(request), profile, certain=visitor is None or profile is not None)

    def _company(self, request: Request) -> Document | None:
        address = self._gate.proxies.client(request.peer, request.raw_headers)
        company = self._names.company(address) if self._names and address else None
        return None if company is None else _shown(company)


def _shown(company: Company) -> Document:
    return {"name": company.name, "domain": company.domain or None, "kind": company.kind, **_public(company.columns)}


def _public(company: Document | dict[str, str]) -> Document:
    return {name: value for name, value in company.items() if name not in _NOT_TOLD}


def _answer(company: Document | None, profile: _Profile | None, *, certain: bool = True) -> Answer:
    """Join what the present address says with what is known: the address of now names the company first."""
    if company is None and profile is not None and profile.company is not None:
        company = _public(profile.company)
    document = {
        "company": company,
        "tags": profile.tags if profile else [],
        "journey": profile.journey if profile else None,
        "stage": profile.stage if profile else FIRST_STAGE,
    }
    return json_answer(document, headers=[_KNOWN if certain else _NOT_KNOWN, _VARY])
