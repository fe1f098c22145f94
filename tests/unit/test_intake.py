"""From a record to the event the rules see."""

from hashlib import blake2b, sha256
from typing import Any

import orjson
import pytest

from schemas import phone
from schemas.event import Rejected
from stream.domain.event import Company, Event, Group, Link
from stream.domain.instants import parse
from stream.intake import Intake

NOW = "2026-11-22T10:00:00.000Z"
KAFKA = parse(NOW)
ACME = Company("Acme", "acme.example", "business", 1.0, "ranges", "192.0.2.0/24", "")


class Files:
    """Look-ups as a test would have them."""

    def company(self, ip: str) -> Company | None:
        return ACME if ip == "192.0.2.7" else None

    def is_bot(self, user_agent: str | None) -> bool:
        return user_agent == "crawler"

    def email_kind(self, address: str) -> str:
        local, _, domain = address.partition("@")
        return "role" if local == "info" else "free" if domain == "mail.example" else "business"

    def phone(self, number: str, region: str | None) -> tuple[str | None, str]:
        return phone.parse(number, region)


INTAKE = Intake(Files())


def read(event: dict[str, Any], at: int = KAFKA, region: str | None = None) -> Event:
    read = Intake(Files(), region).read(orjson.dumps({"type": "page", **event}), at)
    assert isinstance(read, Event), read
    return read


def refused(event: dict[str, Any], at: int = KAFKA) -> Rejected:
    read = INTAKE.read(orjson.dumps({"type": "page", **event}), at)
    assert isinstance(read, Rejected), read
    return read


def ids(*entries: tuple[str, str]) -> dict[str, Any]:
    return {"context": {"externalIds": [{"type": kind, "id": value} for kind, value in entries]}}


def links_of(event: Event) -> list[str]:
    return [link.node for link in event.links]


@pytest.mark.parametrize(
    ("case", "times", "t", "r"),
    [
        ("no time at all", {}, "10:00:00", "10:00:00"),
        ("its own", {"timestamp": "09:00:00"}, "09:00:00", "10:00:00"),
        ("received before Kafka got it", {"receivedAt": "09:30:00"}, "09:30:00", "09:30:00"),
        ("received in the future", {"receivedAt": "11:00:00"}, "10:00:00", "10:00:00"),
        ("its own in the future", {"timestamp": "11:00:00"}, "10:00:00", "10:00:00"),
        ("its own behind its receipt", {"timestamp": "09:45:00", "receivedAt": "09:30:00"}, "09:30:00", "09:30:00"),
        ("a skewed clock", {"sentAt": "20:00:05", "originalTimestamp": "20:00:00"}, "09:59:55", "10:00:00"),
        (
            "a skewed clock, received",
            {"sentAt": "20:00:05", "originalTimestamp": "20:00:00", "receivedAt": "09:30:00"},
            "09:29:55",
            "09:30:00",
        ),
        ("sent before it happened", {"sentAt": "08:00:00", "originalTimestamp": "09:00:00"}, "10:00:00", "10:00:00"),
        ("happened, never sent", {"originalTimestamp": "09:00:00"}, "09:00:00", "10:00:00"),
        ("sent only", {"sentAt": "09:00:00"}, "10:00:00", "10:00:00"),
        (
            "its own beats the difference",
            {"timestamp": "09:10:00", "sentAt": "20:00:05", "originalTimestamp": "20:00:00"},
            "09:10:00",
            "10:00:00",
        ),
    ],
)
def test_when_it_happened_and_when_it_was_received(case: str, times: dict[str, str], t: str, r: str) -> None:
    event = read({"anonymousId": "a", **{name: f"2026-11-22T{clock}Z" for name, clock in times.items()}})
    assert (event.t, event.r) == (parse(f"2026-11-22T{t}Z"), parse(f"2026-11-22T{r}Z")), case


@pytest.mark.parametrize(
    ("case", "times", "bad"),
    [
        ("an empty one", {"timestamp": ""}, True),
        ("without offset", {"timestamp": "2026-11-22T10:00:00"}, True),
        ("words", {"receivedAt": "soon"}, True),
        ("sentAt where it is used", {"sentAt": "x", "originalTimestamp": NOW}, True),
        ("sentAt where it is not used", {"sentAt": "x"}, False),
        ("originalTimestamp alone", {"originalTimestamp": "x"}, True),
        ("both where timestamp is used", {"timestamp": NOW, "sentAt": "x", "originalTimestamp": "x"}, False),
        ("of a wrong type: ignored", {"timestamp": 1_795_341_600_000}, False),
        ("null", {"timestamp": None}, False),
        ("before 2000", {"timestamp": "1999-12-31T23:59:59.999Z"}, True),
        ("at 2000", {"timestamp": "2000-01-01T00:00:00Z"}, False),
        ("received before 2000", {"receivedAt": "1999-12-31T23:59:59.999Z"}, True),
        ("a difference to before 2000", {"sentAt": NOW, "originalTimestamp": "1980-01-01T00:00:00Z"}, True),
        ("year 0", {"timestamp": "0000-01-01T00:00:00Z"}, True),
    ],
)
def test_a_used_time_field_must_be_an_instant(case: str, times: dict[str, Any], *, bad: bool) -> None:
    event = orjson.dumps({"type": "page", "anonymousId": "a", **times})
    outcome = INTAKE.read(event, KAFKA)
    assert isinstance(outcome, Rejected) is bad, case
    if isinstance(outcome, Rejected):
        assert (outcome.reason, outcome.stage) == ("bad_timestamp", "apply")


def test_a_record_without_a_kafka_timestamp_is_told_not_raised() -> None:
    assert refused({"anonymousId": "a"}, at=-1).reason == "bad_timestamp"


def test_the_key_is_judged_before_the_time() -> None:
    assert refused({"timestamp": ""}).reason == "no_identity"
    assert refused({"type": "alias", "previousId": "p", "timestamp": ""}).reason == "no_identity"


def test_a_refusal_of_the_decoder_passes() -> None:
    assert INTAKE.read(None, KAFKA) == Rejected("not_json", "the record has no value", "decode")


def test_message_ids_are_hashed_to_six_bytes() -> None:
    assert read({"userId": 1, "messageId": "m-1"}).message == blake2b(b"m-1", digest_size=6).digest()


def test_a_missing_message_id_is_derived_from_the_event_but_not_from_its_journey() -> None:
    event = {"userId": 1, "timestamp": NOW, "properties": {"b": 1, "a": 2}}
    one = read(event).message
    canonical = b'{"properties":{"a":2,"b":1},"timestamp":"%s","type":"page","userId":1}' % NOW.encode()
    assert one == blake2b(sha256(canonical).hexdigest().encode(), digest_size=6).digest()
    assert read(event, KAFKA + 5).message == one
    assert read({**event, "sentAt": NOW, "receivedAt": NOW}).message == one
    assert read({**event, "properties": {"a": 2, "b": 1}}).message == one
    assert read({**event, "properties": {"a": 2, "b": 3}}).message != one


def test_an_empty_message_id_counts_as_none() -> None:
    empty, other = {"userId": 1, "timestamp": NOW, "messageId": ""}, {"userId": 2, "timestamp": NOW, "messageId": ""}
    assert read(empty).message != read(other).message


def test_without_a_time_of_its_own_the_kafka_timestamp_tells_events_apart() -> None:
    assert read({"userId": 1}, KAFKA).message != read({"userId": 1}, KAFKA + 1).message
    assert read({"userId": 1}, KAFKA).message == read({"userId": 1}, KAFKA).message


@pytest.mark.parametrize(
    ("case", "event", "expected"),
    [
        ("a login", {"userId": 1, "anonymousId": "c"}, ["anon::c"]),
        ("nothing else", {"anonymousId": "c"}, []),
        ("traits of identify", {"type": "identify", "anonymousId": "c", "traits": {"email": "a@b"}}, ["email::a@b"]),
        ("traits of others", {"anonymousId": "c", "traits": {"email": "a@b"}}, []),
        ("alias", {"type": "alias", "userId": 1, "previousId": "p", "anonymousId": "c"}, ["anon::c", "anon::p"]),
        ("a role mailbox never links", {"type": "identify", "userId": 1, "traits": {"email": "info@b"}}, []),
        ("nor does it as key", {"anonymousId": "c", **ids(("email", "info@b"))}, []),
        ("a lead id is never linked", {"userId": 1, **ids(("lead", "lead_1"))}, []),
        ("nor does it link as key", {"anonymousId": "c", **ids(("lead", "lead_1"))}, []),
        ("group links nobody", {"type": "group", "userId": 1, "anonymousId": "c", "groupId": "g"}, []),
        ("junk does not exist", {"userId": 1, "anonymousId": "null"}, []),
        ("named twice", {"userId": 1, "anonymousId": "c", **ids(("user_id", "1"), ("anon", "c"))}, ["anon::c"]),
    ],
)
def test_an_event_links_its_key_to_everything_else_it_names(case: str, event: dict[str, Any], expected: list[str]) -> None:
    assert links_of(read(event)) == expected, case


def test_links_say_what_the_word_lists_know() -> None:
    event = read({"userId": 1, **ids(("email", "a@mail.example"), ("mobile", "+8613800138000"), ("weibo", "w"))})
    assert event.links == (
        Link("email::a@mail.example", "free"),
        Link("phone::+8613800138000", "mobile"),
        Link("weibo::w"),
    )
    assert event.node_kind == ""
    assert read(ids(("email", "info@b"))).node_kind == "role"


@pytest.mark.parametrize(
    ("case", "event", "kinds"),
    [
        ("nothing", {"userId": 1}, (None, None, None, None)),
        ("an address among the ids", {"userId": 1, **ids(("email", "a@b"))}, ("business", None, None, None)),
        ("the address is the key", ids(("email", "info@b")), ("role", None, None, None)),
        (
            "a trait beats an id",
            {
                "userId": 1,
                "context": {"externalIds": [{"type": "email", "id": "a@b"}], "traits": {"email": "a@mail.example"}},
            },
            ("free", None, "free", None),
        ),
        ("a trait that is no address", {"userId": 1, "context": {"traits": {"email": "x"}}}, (None, None, None, None)),
        (
            "a number",
            {"type": "identify", "userId": 1, "traits": {"phone": "+49 30 901820"}},
            (None, "fixed", None, "fixed"),
        ),
        (
            "a number that is none",
            {"userId": 1, "context": {"traits": {"phone": "12"}}},
            (None, "invalid", None, "invalid"),
        ),
        ("an empty number", {"userId": 1, "context": {"traits": {"phone": " "}}}, (None, None, None, None)),
        ("an id that is no number", {"userId": 1, **ids(("mobile", "12"))}, (None, "invalid", None, None)),
        (
            "a good one among them",
            {"userId": 1, **ids(("mobile", "12"), ("phone", "+8613800138000"))},
            (None, "mobile", None, None),
        ),
        ("traits of a page", {"userId": 1, "traits": {"email": "a@b"}}, (None, None, None, None)),
    ],
)
def test_kinds_of_addresses_and_numbers(case: str, event: dict[str, Any], kinds: tuple[str | None, ...]) -> None:
    got = read(event)
    assert (got.email_kind, got.phone_kind, got.trait_email_kind, got.trait_phone_kind) == kinds, case


def test_a_phone_region_makes_numbers_of_traits_and_ids_valid() -> None:
    event = read({"userId": 1, **ids(("phone", "030 901820"))}, region="DE")
    assert (links_of(event), event.phone_kind) == (["phone::+4930901820"], "fixed")
    event = read({"userId": 1, "context": {"traits": {"phone": 30901820}}}, region="DE")
    assert event.trait_phone_kind == "fixed"


def test_traits_are_leaves_and_those_of_identify_come_first() -> None:
    told = {"company": {"size": 40, "tags": ["a"]}, "email": None, "title": "Head"}
    around = {"company": {"size": 1, "name": "Acme"}, "title": "Hand", "empty": {}}
    event = {"userId": 1, "traits": told, "context": {"traits": around}}
    assert read({**event, "type": "identify"}).traits == {
        "company.size": 40,
        "company.tags": ["a"],
        "company.name": "Acme",
        "email": None,
        "title": "Head",
    }
    assert read(event).traits == {"company.size": 1, "company.name": "Acme", "title": "Hand"}


@pytest.mark.parametrize(
    ("case", "page", "properties", "url"),
    [
        ("an address", {"url": "https://Acme.example/Products/Flow?utm=1#top"}, {}, "Acme.example/Products/Flow"),
        ("its port stays", {"url": "http://acme.example:8080/a/"}, {}, "acme.example:8080/a"),
        ("its user goes", {"url": "https://ann:p%40w@acme.example/a"}, {}, "acme.example/a"),
        ("an at sign in a path stays", {"url": "https://acme.example/@ann"}, {}, "acme.example/@ann"),
        ("nothing is decoded", {"url": "https://acme.example/a%20b"}, {}, "acme.example/a%20b"),
        ("a host alone", {"url": "https://acme.example/"}, {}, "acme.example"),
        ("without scheme", {"url": "acme.example/a?b"}, {}, "acme.example/a"),
        ("without scheme, with slashes", {"url": "//acme.example/a"}, {}, "acme.example/a"),
        ("an address in the query", {"url": "/a?next=https://b.example/"}, {}, "/a"),
        (
            "the page's beats the property's",
            {"url": "https://a.example/1"},
            {"url": "https://b.example/2"},
            "a.example/1",
        ),
        ("the property's", {"path": "/x"}, {"url": "https://b.example/2"}, "b.example/2"),
        ("a property of a wrong type", {"path": "/x"}, {"url": 5}, "/x"),
        ("an empty address", {"url": "", "path": "/x/"}, {"url": ""}, "/x"),
        ("the root", {"path": "/"}, {}, ""),
        ("nothing", {}, {}, None),
    ],
)
def test_url_is_host_and_path(case: str, page: dict[str, Any], properties: dict[str, Any], url: str | None) -> None:
    assert read({"userId": 1, "context": {"page": page}, "properties": properties}).url == url, case


def test_what_surrounds_the_event() -> None:
    context = {
        "page": {"title": "Flow", "search": "?a", "referrer": "https://x.example"},
        "campaign": {"medium": "cpc", "name": "n"},
        "ip": "192.0.2.7",
    }
    event = read({"userId": 1, "properties": {"dwell_s": 4}, "context": context})
    assert (event.title, event.search, event.referrer) == ("Flow", "?a", "https://x.example")
    assert (event.campaign, event.properties) == ({"medium": "cpc", "name": "n"}, {"dwell_s": 4})
    assert (event.channel, event.company, event.bot) == ("cpc", ACME, False)
    assert read({"userId": 1, "context": {**context, "channel": "wechat"}}).channel == "wechat"
    assert read({"userId": 1, "context": {"campaign": {"medium": 5}}}).channel is None


def test_a_robot_links_nobody_names_no_company_and_brings_no_traits() -> None:
    event = read(
        {
            "type": "group",
            "userId": 1,
            "anonymousId": "c",
            "groupId": "g",
            "context": {"userAgent": "crawler", "ip": "192.0.2.7", "traits": {"email": "a@b"}},
        }
    )
    assert event.bot
    assert (event.links, event.company, event.traits, event.group, event.trait_email_kind) == ((), None, {}, None, None)
    assert read({"userId": 1, "anonymousId": "c", "context": {"userAgent": "crawler"}}).links == ()


@pytest.mark.parametrize(
    ("case", "event", "group"),
    [
        ("a group call", {"type": "group", "groupId": 7, "traits": {"a": {"b": 1}}}, Group("7", {"a.b": 1})),
        ("a group call without id", {"type": "group", "traits": {"name": "x"}}, None),
        ("named around it", {"type": "group", "context": {"groupId": "g"}, "traits": {"n": 1}}, Group("g", {"n": 1})),
        ("named by any event", {"context": {"groupId": " g "}}, Group("g")),
        ("junk names nobody", {"context": {"groupId": "null"}}, None),
        ("groupId of another call", {"groupId": "g"}, None),
    ],
)
def test_who_is_the_group(case: str, event: dict[str, Any], group: Group | None) -> None:
    got = read({"userId": 1, **event})
    assert got.group == group, case
    assert got.traits == {}


def test_a_crm_moves_a_lead() -> None:
    event = {"type": "track", "event": "Lead Stage Changed", "properties": {"stage": "mql"}, **ids(("lead", "lead_1"))}
    got = read(event)
    assert (got.node, got.crm_stage, got.echo) == ("lead::lead_1", "mql", False)
    assert read({**event, "type": "page"}).crm_stage is None


def test_stages_are_those_of_the_ruleset_in_force() -> None:
    intake = Intake(Files(), stages={"lead"})
    event = {"type": "track", "event": "Lead Stage Changed", "properties": {"stage": "gold"}, "userId": 1}
    refusal = intake.read(orjson.dumps(event), KAFKA)
    assert isinstance(refusal, Rejected)
    assert refusal.reason == "schema_violation"
    intake.stages = {"lead", "gold"}
    assert isinstance(intake.read(orjson.dumps(event), KAFKA), Event)


@pytest.mark.parametrize("more", [{"userId": 1}, {}, {"userId": []}, {"userId": 1, "timestamp": "", "receivedAt": "x"}])
def test_an_echo_is_told_whatever_else_is_wrong(more: dict[str, Any]) -> None:
    event = {"type": "track", "event": "Lead Stage Changed", "properties": {"changedBy": "leadstream"}, **more}
    for got in (INTAKE.read(orjson.dumps(event), KAFKA), INTAKE.read_line(orjson.dumps(event), KAFKA)):
        assert isinstance(got, Event)
        assert (got.echo, got.r, got.links) == (True, KAFKA, ())
        assert got.node == ("user::1" if more.get("userId") == 1 else "")


@pytest.mark.parametrize(
    ("case", "times", "before", "expected"),
    [
        ("its own receipt", {"receivedAt": "09:00:00", "timestamp": "08:00:00"}, "10:00:00", ("08:00:00", "09:00:00")),
        ("its own time", {"timestamp": "08:00:00"}, "10:00:00", ("08:00:00", "08:00:00")),
        ("when it was sent", {"sentAt": "08:00:00"}, "10:00:00", ("08:00:00", "08:00:00")),
        ("sent and happened", {"sentAt": "08:00:05", "originalTimestamp": "08:00:00"}, None, ("08:00:00", "08:00:05")),
        ("the line before", {}, "10:00:00", ("10:00:00", "10:00:00")),
        ("no line before", {}, None, None),
        ("unreadable", {"sentAt": "noon"}, "10:00:00", None),
    ],
)
def test_a_recorded_line_is_received_when_it_says(
    case: str, times: dict[str, str], before: str | None, expected: tuple[str, str] | None
) -> None:
    event = {"type": "page", "userId": 1, **{name: f"2026-11-22T{clock}Z" for name, clock in times.items()}}
    got = INTAKE.read_line(orjson.dumps(event), parse(f"2026-11-22T{before}Z") if before else None)
    if expected is None:
        assert isinstance(got, Rejected), case
        assert got.reason == "bad_timestamp"
        assert "add a timestamp or receivedAt" in got.message, "what to do"
        assert ("noon" in got.message) == ("sentAt" in times), "which value"
        return
    assert isinstance(got, Event), case
    assert (got.t, got.r) == tuple(parse(f"2026-11-22T{clock}Z") for clock in expected)


def test_a_blank_line_is_no_json_and_a_line_without_key_is_told_before_its_time() -> None:
    for line, reason in ((b"", "not_json"), (b'{"type":"page"}', "no_identity"), (b"[]", "not_an_object")):
        got = INTAKE.read_line(line, None)
        assert isinstance(got, Rejected)
        assert got.reason == reason
