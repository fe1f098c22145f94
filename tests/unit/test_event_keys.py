"""The key of an event, and everything else it names."""

from typing import Any

import orjson
import pytest

from schemas.event import RawEvent, decode, identities, partition_key


def external(*entries: tuple[str, object] | tuple[str, object, str]) -> dict[str, Any]:
    ids = [dict(zip(("type", "id", "scope"), entry, strict=False)) for entry in entries]
    return {"context": {"externalIds": ids}}


def nodes(event: dict[str, Any], region: str | None = None) -> list[str]:
    raw = decode(orjson.dumps({"type": "page", **event}))
    assert isinstance(raw, RawEvent)
    return identities(raw, region)


EVERYTHING: dict[str, Any] = {
    "userId": "42",
    "anonymousId": "9f2c",
    "previousId": "old",
    "traits": {"email": "A@acme.example", "phone": "+49 151 23456789"},
    "context": {
        "traits": {"email": "b@acme.example", "phone": "+49 30 901820"},
        "externalIds": [
            {"type": "weibo", "id": "w"},
            {"type": "mobile", "id": "+86 138 0013 8000"},
            {"type": "lead", "id": "lead_0687587883fab020"},
            {"type": "crm_lead_id", "id": "00Q7"},
            {"type": "email", "id": "C@acme.example"},
            {"type": "wechat_unionid", "id": "oU"},
            {"type": "wechat_openid", "id": "oX", "scope": "wx1"},
        ],
    },
}
COMMON = [
    "user::42",
    "crm::00Q7",
    "wechat_unionid::oU",
    "lead::lead_0687587883fab020",
    "phone::+8613800138000",
    "email::c@acme.example",
    "anon::9f2c",
    "weibo::w",
    "wechat_openid:wx1:oX",
]
TYPED = ["email::a@acme.example", "phone::+4915123456789", "email::b@acme.example", "phone::+4930901820"]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("page", COMMON),
        ("screen", COMMON),
        ("group", COMMON),
        ("identify", [*COMMON, *TYPED]),
        ("alias", [*COMMON, "anon::old"]),
    ],
)
def test_identities_come_in_key_order(kind: str, expected: list[str]) -> None:
    assert nodes({**EVERYTHING, "type": kind}) == expected


@pytest.mark.parametrize(
    ("case", "event", "expected"),
    [
        ("what a known person does never lands on a cookie", {"userId": "42", "anonymousId": "c"}, "user::42"),
        ("a junk userId does not exist", {"userId": "null", "anonymousId": "c"}, "anon::c"),
        ("numbers", {"userId": 42}, "user::42"),
        ("numbers of 64 bits", {"userId": 2**63 + 1}, "user::9223372036854775809"),
        ("user_id is a user", external(("user_id", "7")), "user::7"),
        ("kinds by their own names", external(("user", "7")), "user::7"),
        ("crm before lead", external(("lead", "lead_1"), ("crm", "7")), "crm::7"),
        ("lead before class B", external(("email", "a@b"), ("lead", "lead_1")), "lead::lead_1"),
        ("class B as listed", external(("email", "a@b"), ("mobile", "+8613800138000")), "email::a@b"),
        ("the cookie before other devices", {"anonymousId": "c", **external(("weibo", "w"))}, "anon::c"),
        ("devices as listed", external(("weibo", "w"), ("device", "d")), "weibo::w"),
        (
            "an address typed on identify is the last resort",
            {"type": "identify", "traits": {"email": "A@b"}},
            "email::a@b",
        ),
        ("and so is one around it", {"type": "identify", "context": {"traits": {"email": "A@b"}}}, "email::a@b"),
        ("but not on other types", {"traits": {"email": "A@b"}}, None),
        ("previousId is never the key", {"type": "alias", "previousId": "p"}, None),
        ("an openid needs its scope", external(("wechat_openid", "oX")), None),
        ("a blank scope is none", external(("wechat_openid", "oX", " ")), None),
        ("other devices may have one", external(("device", "d", "app")), "device:app:d"),
        ("A and B have none", external(("email", "a@b", "x")), "email::a@b"),
        ("a colon in a type makes no id", external(("a:b", "x")), None),
        ("a colon in a scope makes no id", external(("device", "x", "a:b")), None),
        ("a colon in a value is kept", external(("device", "a:b")), "device::a:b"),
        ("no type", {"context": {"externalIds": [{"id": "x"}]}}, None),
        ("an endless type", external(("t" * 600, "x")), None),
        ("an address that is none", external(("email", "nobody")), None),
        ("a number without country", external(("phone", "030 901820")), None),
        ("an invalid number", external(("phone", "+49 1")), None),
        ("ids are trimmed", {"anonymousId": " c "}, "anon::c"),
        ("nothing", {}, None),
    ],
)
def test_the_first_that_exists_is_the_key(case: str, event: dict[str, Any], expected: str | None) -> None:
    event = {"type": "page", **event}
    assert partition_key(event) == expected, case
    assert partition_key(orjson.dumps(event)) == expected, case


def test_a_phone_region_gives_numbers_without_country_theirs() -> None:
    event = {"type": "page", **external(("phone", "030 901820"))}
    assert partition_key(event, "DE") == "phone::+4930901820"
    assert partition_key(event, phone_region=None) is None


def test_an_identity_named_twice_counts_once() -> None:
    event = {
        "type": "identify",
        "userId": 42,
        "traits": {"email": "A@b"},
        **external(("user_id", "42"), ("email", "a@B")),
    }
    assert nodes(event) == ["user::42", "email::a@b"]


@pytest.mark.parametrize("value", [b"", b"[]", b'{"type":"track","userId":"42"}', b'{"userId":"42"}'])
def test_what_is_no_event_has_no_key(value: bytes) -> None:
    assert partition_key(value) is None
