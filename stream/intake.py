"""From a record of `events` to the event the rules see: read, keyed, timed, and told what the look-up files say."""

from collections.abc import Collection, Mapping
from hashlib import blake2b, sha256
from typing import Any, Final, Protocol

import orjson

from schemas.event import LEAD_STAGE_CHANGED, RawEvent, Rejected, decode, identities, is_echo
from schemas.event_times import happened_at, has_own_time, received_at, recorded_at
from schemas.keys import kind_in
from schemas.raw_event import RawContext, RawPage
from stream.collected import NOTHING, Collected
from stream.domain import places
from stream.domain.event import Company, Event, Group, Link
from stream.domain.ids import email_of, id_of, kind_of, text_of, value_of
from stream.domain.instants import LATEST, BadInstant
from stream.domain.leaves import flatten

HASH_BYTES: Final = 6

_NO_CONTEXT: Final = RawContext()
_NO_PAGE: Final = RawPage()
_NOTHING_YET: Final = blake2b(digest_size=HASH_BYTES)
"""The hash of nothing: to copy it costs a third less than to make it."""

ADD_ONE = "add a timestamp or receivedAt, like 2026-11-22T10:00:00Z"
NO_TIME = f"no receive time that can be read, here or on a line before: {ADD_ONE}"


class Lookups(Protocol):
    """What the files know of addresses, robots, mailboxes and telephone numbers."""

    def company(self, ip: str, /) -> Company | None:
        """Return who holds the address."""

    def is_bot(self, user_agent: str | None, /) -> bool:
        """Tell whether a crawler or a mail scanner calls itself so."""

    def email_kind(self, address: str, /) -> str | None:
        """Return the first that fits of role, disposable, free, business; None where it is no address."""

    def phone(self, number: str, region: str | None, /) -> tuple[str | None, str]:
        """Return the E.164 form and mobile, fixed or invalid."""


class Intake:
    """Reads records into events.

    `phone_region` is the country of telephone numbers that name none; `stages` are the stage names of the ruleset in
    force (None: any), which the owner replaces when another ruleset comes into force.
    """

    def __init__(
        self,
        lookups: Lookups,
        phone_region: str | None = None,
        stages: Collection[str] | None = None,
    ) -> None:
        self.stages = stages
        self._lookups = lookups
        self._phone_region = phone_region

    def read(self, value: bytes | None, timestamp_ms: int, told: Collected = NOTHING) -> Event | Rejected:
        """Return the record's event, or why it is a dead letter; `timestamp_ms` is its Kafka timestamp, `told` in its headers.

        An echo of ours is never a dead letter: it may come without a key (`node` empty) or a readable time.
        """
        raw = decode(value, self.stages)
        if type(raw) is Rejected:
            return raw
        return self._event(raw, value, timestamp_ms, told)

    def read_line(self, value: bytes, before_ms: int | None) -> Event | Rejected:
        """Return the event of a recorded line, received when it says itself, else at the receive time before it."""
        raw = decode(value, self.stages)
        if isinstance(raw, Rejected):
            return raw
        try:
            received_ms = recorded_at(raw)
        except BadInstant as error:
            return self._event(raw, value, before_ms if is_echo(raw) else None, NOTHING, no_time=f"{error}: {ADD_ONE}")
        return self._event(raw, value, before_ms if received_ms is None else received_ms, NOTHING, recorded=True)

    def _event(
        self, raw: RawEvent, value: bytes | None, timestamp_ms: int | None, told: Collected, *, recorded: bool = False,
        no_time: str = NO_TIME,
    ) -> Event | Rejected:  # fmt: skip
        """Return the event; `recorded`: the record's timestamp is its receive time; `no_time` says why there is none."""
        nodes = identities(raw, self._phone_region)
        moves = raw.event is not None and raw.event == LEAD_STAGE_CHANGED
        if moves and is_echo(raw):
            return _echo(raw, nodes, value, timestamp_ms or 0)
        if not nodes:
            return Rejected("no_identity", "no userId, anonymousId or externalIds that exist", "identify")
        if timestamp_ms is None:
            return Rejected("bad_timestamp", no_time, "apply")
        try:
            r = timestamp_ms if recorded or raw.received_at is None else received_at(raw, timestamp_ms)
            t = happened_at(raw, r)
        except BadInstant as error:
            return Rejected("bad_timestamp", str(error), "apply")
        if r > LATEST:
            return Rejected("bad_timestamp", f"{r} ms is behind the year 9999: a Kafka timestamp has ms", "apply")
        context = raw.context or _NO_CONTEXT
        page, properties, campaign = context.page or _NO_PAGE, raw.properties or {}, context.campaign or {}
        url = places.of_url(page.url) if page.url else _other_place(page, properties)
        channel = _medium(campaign) if campaign and context.channel is None else context.channel
        bot = self._lookups.is_bot(context.user_agent)
        company = None if bot else self._company(context.ip, told)
        event = Event(  # by position: names cost four times as much
            nodes[0], raw.type, t, r, _message(raw, value, timestamp_ms), raw.event, properties, campaign,
            page.title, page.search, url, channel, page.referrer, company, bot,
        )  # fmt: skip
        event.browser = told.browser
        if moves and raw.type == "track":
            event.crm_stage = str(properties["stage"])
        if context.external_ids is not None or context.traits is not None or raw.traits is not None:
            self._tell_kinds(event, raw, nodes)
        elif len(nodes) > 1:
            event.links = _linking(event, [Link(node) for node in nodes])
        if not bot and (raw.type == "group" or context.group_id is not None):
            event.group = _group(raw, context)
        return event

    def _company(self, ip: str | None, told: Collected) -> Company | None:
        """Return whose the address is: who saw it whole knows better."""
        if told.company is not None:
            return told.company[0]
        return None if ip is None else self._lookups.company(ip)

    def _tell_kinds(self, event: Event, raw: RawEvent, nodes: list[str]) -> None:
        """Set traits, links and what the word lists say of the addresses and numbers among them."""
        if not event.bot:
            event.traits = _traits(raw)
            self._tell_trait_kinds(event)
        links = [Link(node, self._kind(node)) for node in nodes]
        event.node_kind = links[0].kind
        event.links = _linking(event, links)
        event.email_kind = event.trait_email_kind or _first(links, "email")
        event.phone_kind = event.trait_phone_kind or _first(links, "phone") or _told_invalid(raw)

    def _tell_trait_kinds(self, event: Event) -> None:
        if not event.traits:
            return
        address = email_of(event.traits.get("email"))
        if address is not None:
            event.trait_email_kind = self._lookups.email_kind(address)
        number = (text_of(event.traits.get("phone")) or "").strip()
        if number:
            event.trait_phone_kind = self._lookups.phone(number, self._phone_region)[1]

    def _kind(self, node: str) -> str:
        match kind_of(node):
            case "email":
                return self._lookups.email_kind(value_of(node)) or ""
            case "phone":
                return self._lookups.phone(value_of(node), None)[1]
            case _:
                return ""


def _echo(raw: RawEvent, nodes: list[str], value: bytes | None, timestamp_ms: int) -> Event:
    node = nodes[0] if nodes else ""
    message = _message(raw, value, timestamp_ms)
    return Event(node=node, type=raw.type, event=raw.event, t=timestamp_ms, r=timestamp_ms, message=message, echo=True)


def _message(raw: RawEvent, value: bytes | None, timestamp_ms: int) -> bytes:
    """Return the hash of the messageId, or of the event itself where it has none."""
    name = raw.message_id or _derived_id(raw, value, timestamp_ms)
    digest = _NOTHING_YET.copy()
    digest.update(name.encode())
    return digest.digest()


def _derived_id(raw: RawEvent, value: bytes | None, timestamp_ms: int) -> str:
    document = orjson.loads(value or b"{}")
    document.pop("sentAt", None)
    document.pop("receivedAt", None)
    canonical = orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
    if not has_own_time(raw):
        canonical += str(timestamp_ms).encode()
    return sha256(canonical).hexdigest()


def _medium(campaign: Mapping[str, Any]) -> str | None:
    """Return the channel of a campaign: what brought the visitor, where the context does not say it."""
    medium = campaign.get("medium")
    return medium if isinstance(medium, str) else None


def _other_place(page: RawPage, properties: Mapping[str, Any]) -> str | None:
    """Return the place of an event without a page's url: its own, or the page's path."""
    url = properties.get("url")
    if isinstance(url, str) and url:
        return places.of_url(url)
    return None if page.path is None else places.of_path(page.path)


def _group(raw: RawEvent, context: RawContext) -> Group | None:
    """Return the account: a `group` call names it with its traits, any other event by `context.groupId` alone."""
    if raw.type != "group":
        named = None if context.group_id is None else id_of(context.group_id)
        return None if named is None else Group(named)
    named = id_of(raw.group_id) or id_of(context.group_id)
    return None if named is None else Group(named, flatten(raw.traits))


def _traits(raw: RawEvent) -> dict[str, Any]:
    """Return the person's traits: `traits` are those only on `identify`."""
    told = raw.traits if raw.type == "identify" else None
    around = raw.context.traits if raw.context else None
    return flatten(told, around) if told or around else {}


def _linking(event: Event, carried: list[Link]) -> tuple[Link, ...]:
    """Return what the key is linked to; bots and `group` link nobody, role mailboxes and lead ids never link."""
    if event.bot or event.type == "group" or not _may_link(carried[0]):
        return ()
    return tuple(link for link in carried[1:] if _may_link(link))


def _may_link(link: Link) -> bool:
    return link.kind != "role" and not link.node.startswith("lead:")


def _first(links: list[Link], kind: str) -> str | None:
    return next((link.kind for link in links if link.kind and kind_of(link.node) == kind), None)


def _told_invalid(raw: RawEvent) -> str | None:
    """Return `invalid` where an external id is a telephone number that is none."""
    external = raw.context.external_ids if raw.context else None
    told = any(kind_in(entry) == "phone" and id_of(entry.id) for entry in external or ())
    return "invalid" if told else None
