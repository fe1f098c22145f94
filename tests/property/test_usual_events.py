"""The short way of an event and the long one: the same records, answers and counters, whatever the event is."""

import copy
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.collector.client_ip import Proxies
from stream.collector.gate import Gate
from stream.collector.incoming import Incoming
from stream.collector.ip_retention import Addresses, Retention
from stream.collector.origins import Origins
from stream.collector.rates import Rates
from stream.collector.request import Refused, Request
from stream.collector.usual import Passage
from stream.collector.watching import Watching
from stream.collector.write_keys import WriteKey, WriteKeys
from stream.domain.event import Company

NOW_MS = 1_795_341_600_500
EVENT: dict[str, Any] = {
    "type": "page",
    "anonymousId": "9f2c",
    "messageId": "m",
    "timestamp": "2026-11-22T10:00:00.000Z",
    "properties": {"path": "/pricing"},
    "context": {"library": {"name": "analytics.js"}, "page": {"url": "https://www.acme.example/pricing"}, "locale": "en"},
}
TIMES = ["2026-11-22T10:00:00.000Z", "2026-11-22 11:00:00+01:00", "1999-01-01T00:00:00Z", "soon", "", 5, None]
IDS = ["9f2c", " 9f2c ", "", "null", 42, 42.0, 1e300, True, None, [], "é" * 600]
DEEP: list[Any] = []
for _ in range(40):
    DEEP = [DEEP]
MEMBERS: dict[str, list[Any]] = {
    "type": ["page", "track", "identify", "alias", "group", "screen", "click", "", None, 5, [], {}],
    "event": ["E", "", None, 5, "Lead Stage Changed"],
    "anonymousId": IDS,
    "userId": IDS,
    "previousId": IDS,
    "messageId": ["m", "", None, 0, 7, False, []],
    "timestamp": TIMES,
    "originalTimestamp": TIMES,
    "sentAt": TIMES,
    "receivedAt": TIMES,
    "channel": ["server", "web", None, 5],
    "traits": [{"email": "a@b.example"}, {"phone": "+49 30 1234"}, {}, None, 5],
    "properties": [
        {"stage": "sql"},
        {"changedBy": "leadstream"},
        {"x": "y" * 6_000},
        {"x": DEEP},
        {"[": "{" * 40},
        {str(number): 0 for number in range(1_001)},
        None,
        5,
    ],
    "context": [{}, None, "web", 5, []],
}
CONTEXT: dict[str, list[Any]] = {
    "ip": ["198.51.100.7", "2001:db8::1", "nobody's", "", None, 5],
    "userAgent": ["Safari", "", None, 5],
    "library": [{"name": "analytics-python"}, {"name": "analytics.js"}, {"name": 5}, {"name": "x" * 60}, {}, None, "go", []],
    "consent": [{"categoryPreferences": {"analytics": False}}, {"analytics": "granted"}, True, None, {}],
    "consentManagement": [{"deniedConsentIds": ["analytics"]}, {"allowedConsentIds": ["analytics"]}, None],
    "signature": ["0" * 64, None, 5],
    "externalIds": [[], [{"type": "crm_lead_id", "id": "7"}], [{"type": "mobile", "id": "030 1234"}], [5], None, 5],
    "page": [{"url": 5}, None, 5],
}


class Names:
    """Knows whose an address is."""

    def company(self, ip: str, /) -> Company | None:
        return Company("Acme", "acme.example", "business", 1.0, "ranges", "198.51.100.0/24", "") if ip.startswith("1") else None


@st.composite
def events(draw: st.DrawFn) -> Any:
    """Return the usual event with up to three members changed; now and then what is no event."""
    if draw(st.integers(0, 19)) == 0:
        return draw(st.sampled_from([None, 7, "x", [], [EVENT], {}]))
    event = copy.deepcopy(EVENT)
    for _ in range(draw(st.integers(0, 3))):
        context = event.get("context")
        inside = isinstance(context, dict) and draw(st.booleans())
        table, place = (CONTEXT, context) if inside else (MEMBERS, event)
        assert isinstance(place, dict)
        name = draw(st.sampled_from(sorted(table)))
        value = draw(st.sampled_from([*table[name], "gone"]))
        if value == "gone":
            place.pop(name, None)
        else:
            place[name] = copy.deepcopy(value)
    return event


RETENTIONS: list[Retention] = ["truncate", "drop", "keep"]
KEYS = [
    WriteKey("open"),
    WriteKey("few", types=frozenset({"page", "identify"})),
    WriteKey("asking", consent="required"),
    WriteKey("ignoring", consent="ignored", trust="server"),
    WriteKey("signing", secret=b"0123456789abcdef"),
]
AGENTS = [None, b"Mozilla/5.0 Firefox/140.0", b"analytics-python/2.4.0", b"curl/8.5.0"]
SAID: list[dict[str, Any]] = [{}, {}, {}, {"locale": "de", "ip": "198.51.100.9"}, {"consent": False}, {"signature": "0" * 64}]


@st.composite
def requests(draw: st.DrawFn) -> Request:
    """Return who asks."""
    agent = draw(st.sampled_from(AGENTS))
    headers = draw(st.sampled_from([{}, {}, {}, {b"sec-gpc": b"1"}, {b"dnt": b"1"}])) | (
        {} if agent is None else {b"user-agent": agent}
    )
    return asked(draw(st.sampled_from(["203.0.113.77", "198.51.100.7", "2001:db8::7", None])), headers)


def asked(peer: str | None, headers: dict[bytes, bytes]) -> Request:
    return Request("POST", "/v1/batch", b"", headers, list(headers.items()), peer, NOW_MS)


def decided(gate: Gate, key: WriteKey, request: Request, incoming: Incoming) -> Any:
    """Return all that comes of a request."""
    gate.keys, gate.watching = WriteKeys({"K": key}, Origins()), Watching(clock=lambda: 1.0)
    try:
        found = gate.decide(gate.admit(request, incoming), incoming.events)
        told: Any = (found.records, found.told, found.noted, found.withheld)
    except Refused as refused:
        told = (refused.status, refused.reason, str(refused))
    return told, gate.watching.exposition(), gate.watching.last(key.name)


@settings(max_examples=200, deadline=None)
@given(
    batch=st.lists(events(), min_size=1, max_size=4),
    key=st.sampled_from(KEYS),
    retention=st.sampled_from(RETENTIONS),
    names=st.sampled_from([None, Names()]),
    request=requests(),
    sent_at=st.sampled_from(TIMES),
    said=st.sampled_from(SAID),
)
def test_an_event_comes_out_the_same_whichever_way_it_goes(
    batch: list[Any],
    key: WriteKey,
    retention: Retention,
    names: Any,
    request: Request,
    sent_at: Any,
    said: dict[str, Any],
) -> None:
    assert_same(Addresses(retention, names), key, request, Incoming(batch, "K", sent_at, said))


def test_no_single_change_tells_the_ways_apart() -> None:
    changed = [EVENT | {name: value} for name, values in MEMBERS.items() for value in values]
    changed += [EVENT | {"context": EVENT["context"] | {name: value}} for name, values in CONTEXT.items() for value in values]
    changed += [{name: value for name, value in EVENT.items() if name != left_out} for left_out in EVENT]
    for retention, names, agent, key in product(RETENTIONS, (None, Names()), AGENTS, KEYS):
        request = asked("198.51.100.7", {} if agent is None else {b"user-agent": agent})
        assert_same(Addresses(retention, names), key, request, Incoming(changed, "K", TIMES[0]))


def assert_same(addresses: Addresses, key: WriteKey, request: Request, incoming: Incoming) -> None:
    gate = Gate(WriteKeys({}, Origins()), Rates(), Proxies(), addresses)
    both = []
    for short in (True, False):
        with pytest.MonkeyPatch.context() as patched:
            if not short:
                patched.setattr(Passage, "complete", lambda *_: False)
            both.append(decided(gate, key, request, copy.deepcopy(incoming)))
    assert both[0] == both[1]


def test_the_usual_event_goes_the_short_way() -> None:
    gate = Gate(WriteKeys({"K": KEYS[0]}, Origins()), Rates(), Proxies(), Addresses("truncate", None))
    admitted = gate.admit(asked("203.0.113.77", {}), Incoming([], "K", TIMES[0]))
    passage, event = Passage(admitted, gate.watching, None), copy.deepcopy(EVENT)
    assert passage.complete(event)
    assert passage.key_of(event, b"{}") == b"anon::9f2c"
    assert passage.label == "analytics.js"
