"""The short way of an event that is as nearly all are: the same bytes, key and headers as by the long one, at half the price.

    passage = Passage(admitted, watching, phone_region)     # once a request
    passage.complete(event)                                 # False: nothing was done, `Gate.complete` has to do it
    passage.key_of(event, value)                            # None: `judging.judge` has to look, and will name what is wrong

What a request says of all its events is worked out once, and what one event told is remembered for the next: the events of a
batch are one visitor's. Whatever is in any way special (a word on consent, a signature, an address of its own, a server that
passes events on, a mistake) goes the long way, so that each rule is written down once.
"""

from typing import TYPE_CHECKING, Any, Final

import msgspec

from schemas.event import LEAD_STAGE_CHANGED, MAX_DEPTH, MAX_MEMBERS, identities
from schemas.raw_event import RawEvent
from stream.collector.filling import is_servers
from stream.collector.incoming import Event
from stream.collector.watching import NONE, Watching
from stream.domain.ids import id_of, node_of
from stream.domain.instants import YEAR_2000, BadInstant, parse

if TYPE_CHECKING:
    from stream.collector.gate import Admitted

_FEW_BYTES: Final = 5 * MAX_MEMBERS
"""What is no larger has no more members than are allowed: one takes five bytes at least."""
_MORE_IDENTITIES: Final = frozenset({"identify", "alias"})


class Passage:
    """The events of one request on their short way; `label` is the library of the one that was completed last."""

    __slots__ = (
        "_address", "_agent", "_anonymous", "_is_open", "_key", "_library", "_received_at", "_received_ms", "_region", "_sent_at",
        "_sent_ms", "_sent_told", "_types", "_watching", "label",
    )  # fmt: skip

    def __init__(self, admitted: "Admitted", watching: Watching, phone_region: str | None) -> None:
        """Take what holds for all events of a request."""
        around = admitted.around
        self._is_open = not (admitted.unsaid or around.relayed or around.defaults)
        self._types, self._address, self._agent = admitted.key.types, admitted.kept, around.user_agent
        self._received_at, self._received_ms, self._sent_at = around.received_at, admitted.request.received_ms, around.sent_at
        self._watching, self._region = watching, phone_region
        self._library: str | None = None
        self._anonymous: Any = None
        self._key: bytes | None = None
        self._sent_told: str | None = None
        self._sent_ms = 0
        self.label = NONE

    def complete(self, event: Event) -> bool:
        """Make an event what goes into Kafka, in place, if nothing about it is special."""
        get, context = event.get, event.get("context")
        if not self._is_open or type(context) is not dict:
            return False
        type_, library = get("type"), context.get("library")
        if (
            type(type_) is not str
            or type_ not in self._types
            or not get("messageId")
            or get("channel") == "server"
            or "consent" in context
            or "consentManagement" in context
            or "signature" in context
            or context.get("ip") is not None
            or self._is_servers(library.get("name") if type(library) is dict else None, event)
        ):
            return False
        told = event.pop("timestamp", None)
        if told is not None and get("originalTimestamp") is None:
            event["originalTimestamp"] = told
        if self._sent_at is not None and get("sentAt") is None:
            event["sentAt"] = self._sent_at
        event["receivedAt"] = self._received_at
        if self._address is not None:
            context["ip"] = self._address
        else:
            context.pop("ip", None)
        if self._agent is not None and context.get("userAgent") is None:
            context["userAgent"] = self._agent
        return True

    def key_of(self, event: Event, value: bytes) -> bytes | None:
        """Return the key of a completed event that the worker will take; `value` is its JSON."""
        brackets = value.count(b"{") + (value.count(b"[") if b"[" in value else 0)  # to find none is quicker than to count
        if len(value) > _FEW_BYTES or brackets > MAX_DEPTH:
            return None
        try:
            raw = msgspec.convert(event, RawEvent)
            original = raw.original_timestamp
            if original is not None and parse(original) + self._skew_ms(raw.sent_at) < YEAR_2000:
                return None
        except (msgspec.ValidationError, BadInstant):
            return None
        if raw.type == "track" and (not raw.event or raw.event == LEAD_STAGE_CHANGED):
            return None
        context = raw.context
        if raw.user_id is None and raw.type not in _MORE_IDENTITIES and context is not None and not context.external_ids:
            return self._visitor(raw.anonymous_id)
        nodes = identities(raw, self._region)
        return nodes[0].encode("utf-8", "surrogatepass") if nodes else None

    def _is_servers(self, library: Any, event: Event) -> bool:
        """Tell whether a site's server passes the event on, by its library; note the library's label."""
        if type(library) is str and library == self._library:
            return False
        self.label, self._library = self._watching.library(event), None
        if is_servers(library):
            return True
        self._library = library
        return False

    def _skew_ms(self, sent: str | None) -> int:
        """Return by how much the sender's clock is behind, as `happened_at` takes it; the time of a batch is read once."""
        if sent is None:
            return 0
        if sent != self._sent_told:
            self._sent_told, self._sent_ms = sent, parse(sent)
        return self._received_ms - self._sent_ms

    def _visitor(self, anonymous: Any) -> bytes | None:
        """Return the key of somebody who has no other identity."""
        if type(anonymous) is not str or anonymous != self._anonymous:
            text = id_of(anonymous)
            self._anonymous = anonymous
            self._key = None if text is None else node_of("anon", text).encode("utf-8", "surrogatepass")
        return self._key
