"""From the events of a request to the records that go into Kafka: who may send them, and what is kept of them."""

from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import orjson
from orjson import JSONEncodeError

from schemas.event import Rejected
from stream.collected import TRUST
from stream.collector import consent, validate
from stream.collector.answers import Told
from stream.collector.client_ip import Proxies
from stream.collector.filling import Around, around, fill
from stream.collector.incoming import Event, Incoming
from stream.collector.ip_retention import Addresses
from stream.collector.judging import judge
from stream.collector.limits import LIMITS
from stream.collector.origins import page_of
from stream.collector.rates import Rates
from stream.collector.request import Refused, Request
from stream.collector.sending import LARGEST_VALUE, Headers, Record
from stream.collector.signatures import MEMBER, vouched
from stream.collector.usual import Passage
from stream.collector.watching import Noted, Watching
from stream.collector.write_keys import WriteKey, WriteKeys

_TOO_LARGE: Final = Rejected("too_large", f"larger than {LARGEST_VALUE} bytes, or nested beyond all measure", validate.COLLECT)
_MISTAKES: Final = frozenset({"type", _TOO_LARGE.reason})


class Admitted(msgspec.Struct):
    """A request that came in: the rules of its key, what it says of all its events, and what holds for nearly all of them.

    `unsaid` is why an event that says nothing of consent is withheld; `kept` is what is stored of the connection's address,
    `headers` are the Kafka headers of an event that came from there.
    """

    request: Request
    key: WriteKey
    around: Around
    unsaid: str | None
    kept: str | None
    headers: Headers


class Decided(msgspec.Struct):
    """What goes into Kafka, and what has to be told of the rest; events `withheld` for want of consent are not even told.

    `size` is the bytes that were written for it, as far as they are not bounded by those that came in.
    """

    records: list[Record] = []
    told: list[Told] = []
    noted: list[Noted] = []
    withheld: int = 0
    size: int = 0


@dataclass
class Gate:
    """Everything that decides about an event before it lies in Kafka."""

    keys: WriteKeys
    rates: Rates
    proxies: Proxies
    addresses: Addresses
    phone_region: str | None = None
    watching: Watching = field(default_factory=Watching)

    def admit(self, request: Request, incoming: Incoming) -> Admitted:
        """Let a request in; raises Refused where its key, its origin or its rate forbid."""
        key = self.keys.find(incoming.write_key)
        key.check(page_of(request.headers, image=incoming.pixel))
        self.rates.take(key, len(incoming.events))
        address = self.proxies.client(request.peer, request.raw_headers)
        headers, kept = self._stored_of(key, address)
        unsaid = consent.withheld(key, {}, request.headers)
        return Admitted(request, key, around(request, incoming, address), unsaid, kept, headers)

    def decide(self, admitted: Admitted, events: list[Any]) -> Decided:
        """Decide about each event; raises Refused where every one of them is refused, or all together are too large."""
        decided = Decided()
        passage = Passage(admitted, self.watching, self.phone_region)
        records, noted, headers = decided.records, decided.noted, admitted.headers
        for index, event in enumerate(events):
            if not (type(event) is dict and passage.complete(event)):
                self._decide_one(decided, index, event, admitted)
            elif (value := _written(event)) and (node := passage.key_of(event, value)) is not None:
                noted.append((passage.label, "accepted", value))
                records.append(Record(node, value, headers))
            else:
                self._put_in(decided, index, event, passage.label, headers, admitted.request.received_ms)
        self.watching.note(admitted.key, decided.noted)
        if decided.told and not decided.records and not decided.withheld:
            first = decided.told[0]
            raise Refused(413 if first.reason == _TOO_LARGE.reason else 403, first.reason, first.message)
        return decided

    def complete(self, event: Event, admitted: Admitted) -> Rejected | Headers:
        """Make an event what goes into Kafka, in place; return its Kafka headers, or why it goes nowhere."""
        key = admitted.key
        unwanted = key.refuses(event)
        if unwanted is not None:
            return Rejected("type", unwanted, validate.COLLECT)
        said = _said_of(event, admitted.around.defaults)
        speaks = "consent" in said or "consentManagement" in said or MEMBER in said
        why = consent.withheld(key, {"context": said}, admitted.request.headers) if speaks else admitted.unsaid
        if why is not None:
            return validate.withheld(why)
        try:
            fill(event, admitted.around)
        except JSONEncodeError:
            return _TOO_LARGE
        context = event["context"]
        if not speaks and isinstance(context, dict) and context.get("ip") is admitted.around.address:
            return _put(context, admitted)
        headers: Headers = [(TRUST, vouched(key, event))]
        company = self.addresses.kept(event)
        return headers if company is None else [*headers, company]

    def _stored_of(self, key: WriteKey, address: str | None) -> tuple[Headers, str | None]:
        """Return the Kafka headers of an event from an address, and what is stored of that."""
        context = {} if address is None else {"ip": address}
        company = self.addresses.kept({"context": context})
        headers: Headers = [(TRUST, key.trust)]
        return headers if company is None else [*headers, company], context.get("ip")

    def _decide_one(self, decided: Decided, index: int, event: Any, admitted: Admitted) -> None:
        library, headers = self.watching.library(event), None
        if isinstance(event, dict):
            completed = self.complete(event, admitted)
            if isinstance(completed, Rejected):
                self._leave_out(decided, index, library, completed)
                return
            headers = completed
        self._put_in(decided, index, event, library, headers, admitted.request.received_ms)

    def _put_in(self, decided: Decided, index: int, event: Any, library: str, headers: Headers | None, received_ms: int) -> None:
        """Judge what goes into Kafka: whatever Kafka can hold."""
        try:
            value, node, rejected = judge(event, received_ms, self.phone_region)
        except JSONEncodeError:
            value = b""
        decided.size += len(value)
        if decided.size > LIMITS.stored_bytes:
            raise Refused(413, "too_large", f"events of more than {LIMITS.stored_bytes} bytes together: send smaller batches")
        if not value or len(value) > LARGEST_VALUE:
            self._leave_out(decided, index, library, _TOO_LARGE)
            return
        if rejected is not None:
            decided.told.append(Told(index, "dead_letter", rejected.reason, rejected.message))
        decided.noted.append((library, "accepted" if rejected is None else "dead_letter", value))
        decided.records.append(Record(node, value, headers))

    def _leave_out(self, decided: Decided, index: int, library: str, why: Rejected) -> None:
        """Note an event that goes nowhere; the client is told, unless it was asked for: consent is no mistake of its."""
        decided.noted.append((library, why.reason, b""))
        if why.reason in _MISTAKES:
            decided.told.append(Told(index, "refused", why.reason, why.message))
        else:
            decided.withheld += 1


def _said_of(event: Event, defaults: Event) -> Event:
    """Return the context of an event; what its batch says of all events is said of it, where it says nothing else."""
    context = event.get("context")
    own: Event = context if isinstance(context, dict) else {}
    return {**defaults, **own} if defaults else own


def _written(event: Event) -> bytes:
    """Return the event as it goes into Kafka; nothing where it is nested beyond all measure."""
    try:
        return orjson.dumps(event)
    except JSONEncodeError:
        return b""


def _put(context: Event, admitted: Admitted) -> Headers:
    """Do with the connection's own address what is done with every address, once a request."""
    if admitted.kept is not None:
        context["ip"] = admitted.kept
    else:
        context.pop("ip", None)
    return admitted.headers
