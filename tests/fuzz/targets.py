"""Every parser that reads what strangers send, with what must hold whatever they send."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import orjson
from hypothesis import strategies as st

from schemas.event import Rejected, decode, partition_key
from stream import accesslog
from stream.collected import told_company
from stream.collector.app import READERS
from stream.collector.client_ip import Proxies
from stream.collector.consent import withheld
from stream.collector.ip_retention import shorten
from stream.collector.key_file import read_text
from stream.collector.origins import Origins, is_local
from stream.collector.packing import unpacked
from stream.collector.request import Refused
from stream.collector.validate import validated
from stream.collector.write_keys import WriteKey
from stream.domain.ruleset.load import load
from stream.domain.ruleset.mistakes import Mistake, RulesetError
from stream.intake import Intake
from stream.lookups import Lookups
from stream.lookups.addresses import parse, render
from stream.outbound.posting import parse_id, retry_after_s
from stream.outbound.progress import read_note
from stream.outbound.target import Guard
from tests.fuzz import mutating
from tests.unit.collecting import Answered, Collecting, Line

NOW_MS = 1_795_000_000_000
ANSWERS = {200, 400, 401, 403, 404, 405, 413, 414, 415, 431}
LARGEST = 200_000


@dataclass(frozen=True)
class Target:
    """What is given, and what is done with it: anything raised is a find."""

    given: st.SearchStrategy[Any]
    run: Callable[[Any], None]


def _text(*seeds: bytes) -> st.SearchStrategy[bytes]:
    return mutating.mutated(st.sampled_from(seeds))


BODY = _text(*mutating.BODIES)
HEADER = st.sampled_from(
    [
        "authorization",
        "content-type",
        "content-encoding",
        "origin",
        "x-forwarded-for",
        "sentat",
        "dnt",
        "sec-gpc",
        "referer",
        "user-agent",
    ]
)
VALUE = _text(
    b"Basic d2ViOg==", b"application/x-www-form-urlencoded", b"gzip", b"https://a.example", b"1, 2", b"Mozilla/5.0"
).map(lambda data: data[:300].decode("latin-1").replace("\n", "").replace("\r", ""))
REQUEST = st.tuples(
    st.sampled_from([*READERS, ("GET", "/nowhere"), ("OPTIONS", "/v1/p"), ("DELETE", "/v1/p")]),
    _text(*mutating.QUERIES).map(lambda data: data.decode("latin-1")),
    BODY,
    st.sampled_from(["", "gzip", "deflate", "bare"]),
    st.dictionaries(HEADER, VALUE, max_size=3),
)


def collect(given: Any) -> None:
    """A request is answered, never raised; what goes to Kafka is JSON under the key the worker would give it."""
    (method, path), query, body, packing, headers = given
    collecting = Collecting()
    if packing:
        headers = headers | {"content-encoding": "gzip" if packing == "gzip" else "deflate"}
    query = "".join(sign if " " < sign < "\x7f" else "+" for sign in query)
    answer = asyncio.run(collecting.ask(method, f"{path}?{query}", mutating.packed(body, packing), **headers))
    _check(collecting, answer)


def connect(given: tuple[bytes, list[int]]) -> None:
    """Whatever comes over a connection, in whatever pieces, is answered or cut off, and nothing breaks."""
    said, cuts = given
    places = sorted({0, len(said), *(cut % (len(said) + 1) for cut in cuts)})
    collecting = Collecting()

    async def talk() -> Line:
        line = Line(collecting)
        for begin, end in pairwise(places):
            if not line.closed:
                line.protocol.data_received(said[begin:end])
                await asyncio.sleep(0)
        for _ in range(20):
            await asyncio.sleep(0)
        line.protocol.connection_lost(None)
        return line

    line = asyncio.run(talk())
    statuses = [int(part[:3]) for part in line.said.split(b"HTTP/1.1 ")[1:]]
    assert {*statuses} <= ANSWERS | {100}, line.said
    for record in collecting.outbox.records:
        orjson.loads(record.value)


def _check(collecting: Collecting, answer: Answered) -> None:
    assert answer.status in ANSWERS, answer
    if answer.headers.get("content-type") == "application/json":
        orjson.loads(answer.body)
    if answer.status != 200:
        assert collecting.outbox.records == []
    for record in collecting.outbox.records:
        orjson.loads(record.value)
        key = partition_key(record.value)
        assert key is None or record.key == key.encode("utf-8", "surrogatepass")


def unpack(given: tuple[bytes, str]) -> None:
    """A packed body is unpacked or refused, and never larger than allowed."""
    body, encoding = given
    try:
        assert len(unpacked(body, encoding.encode(), LARGEST)) <= max(LARGEST, len(body))
    except Refused:
        return


def read_event(value: bytes) -> None:
    """A record is an event or a dead letter; its key does not depend on who reads it."""
    raw = decode(value)
    event = INTAKE.read(value, NOW_MS)
    assert isinstance(raw, Rejected) <= isinstance(event, Rejected)
    if not isinstance(event, Rejected) and not event.echo:
        assert event.node == partition_key(value)
        assert event.t <= event.r


def validate(body: bytes) -> None:
    """The answer is a document, whatever is asked."""
    orjson.dumps(validated(body, NOW_MS, None, lambda _: None))


def read_address(given: tuple[str, list[tuple[bytes, bytes]]]) -> None:
    """A client has an address in its usual form, or none."""
    peer, headers = given
    address = PROXIES.client(peer, headers)
    assert address is None or render(parse(address) or b"") == address
    if address:
        short = shorten(address, "truncate")
        assert short is not None
        assert shorten(short, "truncate") == short


def ask_consent(body: bytes) -> None:
    """Consent of any shape is an answer."""
    try:
        event = orjson.loads(body)
    except orjson.JSONDecodeError:
        return
    if isinstance(event, dict):
        for mode in ("required", "assumed", "ignored"):
            withheld(WriteKey("k", consent=mode), event, {})


def read_keys(text: bytes) -> None:
    """A file of keys is read, or its mistakes are told."""
    _file(lambda: read_text(text, "keys.toml"))


def read_rules(text: bytes) -> None:
    """A ruleset is read, or its mistakes are told."""
    _file(lambda: load(text))


def _file(read: Callable[[], object]) -> None:
    mistakes: list[Mistake] = []
    try:
        read()
    except RulesetError as error:
        mistakes = error.mistakes
        if not mistakes:
            raise
    assert all(mistake.line >= 1 for mistake in mistakes)


def read_line(line: bytes) -> None:
    """A line of a log is an event or none."""
    accesslog.parse(line.decode(errors="backslashreplace"), "id")


def read_small(data: bytes) -> None:
    """What is short and comes in headers or notes."""
    text = data.decode("latin-1")
    told_company([("leadstream-company", data)])
    retry_after_s(text, 0.0)
    undelivered, known = read_note(7, text)
    assert all(earlier < later for earlier, later in pairwise([6, *undelivered, known]))
    assert parse_id(data, "back").isprintable()
    is_local(text)
    Guard().allows(text)
    for read in (lambda: Origins.of([text]), lambda: Guard().check(text)):
        try:
            read()
        except ValueError:
            continue


INTAKE = Intake(Lookups())
PROXIES = Proxies(["10.0.0.0/8", "fd00::/8"])
PEER = st.sampled_from(["10.0.0.1", "fd00::1", "203.0.113.9", "", "unix"])
HOPS = _text(b"203.0.113.9, 10.0.0.2", b'for="[2001:db8::1]:80";proto=https, for=_x', b"::ffff:1.2.3.4", b"fe80::1%eth0")
HOP_HEADERS = st.lists(st.tuples(st.sampled_from([b"x-forwarded-for", b"forwarded", b"x-real-ip"]), HOPS), max_size=3)
KEYS = b'[keys.web]\norigins = ["https://www.example.com"]\ntypes = ["page"]\nrate = 5\nburst = 9\nsecret = "0123456789abcdef"\n'
RULES = b'[ruleset]\nid = "x"\n[behaviours.a]\nmatch = { type = "page" }\n[[stages]]\nname = "lead"\nenter = { interest = 5 }\n'
LINE = b'192.0.2.1 - - [22/Nov/2026:10:00:00 +0000] "GET /a?b=c HTTP/1.1" 200 5 "https://x.example/" "Mozilla/5.0"'
SMALL = (
    b'["A","a.example","business",1.0,"ranges","n","",{}]',
    b"Thu, 01 Jan 1970 00:01:00 GMT",
    b"eJwDAAAAAAE=",
    b'{"id":"a-1"}',
)

TARGETS = {
    "collector": Target(REQUEST, collect),
    "connections": Target(st.tuples(_text(*mutating.SAID), st.lists(st.integers(0, 5_000), max_size=4)), connect),
    "packing": Target(
        st.tuples(
            _text(*(mutating.packed(mutating.ONE * 50, how) for how in ("gzip", "deflate", "bare"))),
            st.sampled_from(["", "gzip", "deflate"]),
        ),
        unpack,
    ),
    "events": Target(_text(mutating.ONE, *mutating.BODIES), read_event),
    "validate": Target(BODY, validate),
    "addresses": Target(st.tuples(PEER, HOP_HEADERS), read_address),
    "consent": Target(_text(mutating.ONE), ask_consent),
    "write keys": Target(_text(KEYS), read_keys),
    "rulesets": Target(_text(RULES), read_rules),
    "access logs": Target(_text(LINE), read_line),
    "headers and notes": Target(_text(*SMALL, b"https://*.example.com:8443", b"http://[::1]/"), read_small),
}
