"""What goes into Kafka of an address, and who vouches for an identity."""

from typing import Any

import pytest

from stream.collected import COMPANY, collected_by, told_company
from stream.collector.ip_retention import Addresses, Retention
from stream.collector.signatures import signature, vouched
from stream.collector.write_keys import WriteKey
from stream.domain.event import Company, Event
from stream.intake import Intake
from stream.lookups import Lookups

ACME = Company("Acme", "acme.example", "business", 1.0, "ranges", "203.0.113.8/29", "", {"industry": "petroleum"})
SECRET = b"0123456789abcdef"


class Names:
    def company(self, ip: str) -> Company | None:
        return ACME if ip == "203.0.113.9" else None


def event(ip: object) -> dict[str, Any]:
    return {"type": "page", "anonymousId": "9f2c", "context": {"ip": ip}}


@pytest.mark.parametrize(
    ("retention", "address", "left"),
    [
        ("truncate", "203.0.113.9", "203.0.113.0"),
        ("truncate", "2001:db8:1:2::3", "2001:db8:1::"),
        ("truncate", "::ffff:203.0.113.9", "203.0.113.0"),
        ("truncate", "somewhere", None),
        ("truncate", 5, None),
        ("drop", "203.0.113.9", None),
        ("keep", "203.0.113.9", "203.0.113.9"),
        ("keep", 5, 5),
    ],
)
def test_only_what_may_be_stored_is_left_of_an_address(retention: Retention, address: object, left: object) -> None:
    told = event(address)
    Addresses(retention, None).kept(told)
    assert told["context"].get("ip") == left


@pytest.mark.parametrize("retention", ["truncate", "drop"])
def test_the_worker_learns_the_company_of_the_whole_address(retention: Retention) -> None:
    told = event("203.0.113.9")
    header = Addresses(retention, Names()).kept(told)
    assert header is not None
    read = Intake(Lookups()).read(b'{"type":"page","anonymousId":"9f2c"}', 1_700_000_000_000, collected_by([header]))
    assert isinstance(read, Event)
    assert read.company == ACME


def test_a_company_that_has_the_rest_of_the_network_is_not_taken_for_the_visitors() -> None:
    header = Addresses("truncate", Names()).kept(event("203.0.113.77"))
    assert header == (COMPANY, b"null")

    neighbour = Lookups()
    neighbour.company = lambda _ip: ACME
    value = b'{"type":"page","anonymousId":"9f2c","context":{"ip":"203.0.113.0"}}'
    read = Intake(neighbour).read(value, 1_700_000_000_000, collected_by([header]))
    assert isinstance(read, Event)
    assert read.company is None


def test_a_collector_without_look_up_files_leaves_it_to_the_worker() -> None:
    assert Addresses("truncate", None).kept(event("203.0.113.9")) is None
    assert Addresses("keep", Names()).kept(event("203.0.113.9")) is None
    assert Addresses("drop", Names()).kept({"type": "page", "context": None}) is None


def test_a_bots_address_names_no_company_whoever_says_so() -> None:
    header = Addresses("drop", Names()).kept(event("203.0.113.9"))
    assert header is not None
    value = b'{"type":"page","anonymousId":"9f2c","context":{"userAgent":"Googlebot/2.1 (+http://www.google.com/bot.html)"}}'
    read = Intake(Lookups()).read(value, 1_700_000_000_000, collected_by([header]))
    assert isinstance(read, Event)
    assert read.bot
    assert read.company is None


@pytest.mark.parametrize("value", [b"", b"[1]", b"rubbish", b'["\xff","","",1.0,"","",""]'])
def test_a_header_that_cannot_be_read_says_nothing(value: bytes) -> None:
    assert told_company([(COMPANY, value)]) is None


def signed(user: object, told: object, **context: object) -> dict[str, Any]:
    return {"type": "identify", "userId": user, "context": {"signature": told} | context}


@pytest.mark.parametrize(
    ("key", "event", "trust"),
    [
        pytest.param(WriteKey("s", trust="server"), signed("42", None), "server", id="a server's key"),
        pytest.param(WriteKey("b"), signed("42", signature(SECRET, "42")), "browser", id="a key without a secret"),
        pytest.param(WriteKey("b", secret=SECRET), {"type": "page"}, "browser", id="no context"),
        pytest.param(WriteKey("b", secret=SECRET), signed("42", None), "browser", id="no signature"),
        pytest.param(WriteKey("b", secret=SECRET), signed("42", signature(SECRET, "42")), "server", id="signed"),
        pytest.param(
            WriteKey("b", secret=SECRET), signed(42, signature(SECRET, "42").upper()), "server", id="a number, capitals"
        ),
        pytest.param(WriteKey("b", secret=SECRET), signed("43", signature(SECRET, "42")), "browser", id="another's signature"),
        pytest.param(WriteKey("b", secret=SECRET), signed("42", "é"), "browser", id="rubbish"),
        pytest.param(WriteKey("b", secret=SECRET), signed(None, signature(SECRET, "")), "browser", id="nobody"),
        pytest.param(
            WriteKey("b", secret=SECRET),
            signed("42", signature(SECRET, "42"), externalIds=[{"type": "crm_lead_id", "id": "7"}]),
            "browser",
            id="beside an identity that is not signed",
        ),
        pytest.param(
            WriteKey("b", secret=SECRET),
            signed("42", signature(SECRET, "42"), externalIds=[{"type": "email", "id": "a@b.example"}]),
            "server",
            id="beside one of class B",
        ),
        pytest.param(
            WriteKey("b", secret=SECRET), signed("42", signature(SECRET, "42"), externalIds=[5]), "browser", id="beside rubbish"
        ),
    ],
)
def test_a_servers_key_or_signature_vouches_for_an_identity(key: WriteKey, event: dict[str, Any], trust: str) -> None:
    assert vouched(key, event) == trust
    assert "signature" not in event.get("context", {})
