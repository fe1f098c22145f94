"""What a write key allows and a visitor consented to, as the client is told it and Kafka gets it."""

import tracemalloc
from base64 import b64encode
from pathlib import Path

import pytest

from stream.collected import TRUST
from stream.collector.signatures import signature
from stream.settings import Settings
from tests.unit.collecting import Collecting

SITE = "https://www.example.com"
KEYS = f"""
[keys.web]
origins = ["{SITE}"]
types = ["page", "identify"]
secret = "0123456789abcdef"
[keys.slow]
rate = 1
burst = 2
[keys.asking]
consent = "required"
[keys.crm]
trust = "server"
consent = "ignored"
"""
PAGE = {"type": "page", "anonymousId": "9f2c"}


@pytest.fixture
def collecting(tmp_path: Path) -> Collecting:
    path = tmp_path / "keys.toml"
    path.write_text(KEYS)
    return Collecting(Settings(write_keys=path))


def by(key: str) -> str:
    return "Basic " + b64encode(f"{key}:".encode()).decode()


@pytest.mark.parametrize(
    ("key", "origin", "status", "reason"),
    [
        ("web", SITE, 200, None),
        ("web", "https://evil.example", 403, "origin"),
        ("crm", SITE, 403, "origin"),
        ("no", SITE, 401, "write_key"),
    ],
)
async def test_a_page_needs_a_key_that_is_its_own(
    collecting: Collecting, key: str, origin: str, status: int, reason: str | None
) -> None:
    answer = await collecting.post("/v1/page", PAGE, authorization=by(key), origin=origin)
    assert (answer.status, answer.document.get("reason")) == (status, reason)
    assert len(collecting.events) == (status == 200)


ELSEWHERE = "https://evil.example/page?of=somebody"


@pytest.mark.parametrize(
    "path", ["/pixel/v1/page?anonymousId=9f2c&writeKey=", "/v1/pixel/page?data=e30&writeKey=", "/i?e=pv&aid="]
)
@pytest.mark.parametrize(
    ("headers", "web", "slow"),
    [
        pytest.param({}, 200, 200, id="a mail program, or Gmail's proxy"),
        pytest.param({"referer": f"{SITE}/pricing", "sec_fetch_site": "cross-site"}, 200, 200, id="our page"),
        pytest.param({"referer": f"{SITE}"}, 200, 200, id="our page, to a collector without https"),
        pytest.param({"sec_fetch_site": "same-site"}, 200, 200, id="our page, which hides its address"),
        pytest.param({"referer": ELSEWHERE, "sec_fetch_site": "cross-site"}, 403, 200, id="another page"),
        pytest.param({"referer": ELSEWHERE}, 403, 200, id="another page, to a collector without https"),
        pytest.param({"sec_fetch_site": "cross-site"}, 403, 200, id="another page, which hides its address"),
        pytest.param({"referer": f"{SITE}.evil.example/"}, 403, 200, id="a name that begins alike"),
        pytest.param({"referer": f"{SITE}@evil.example/"}, 403, 200, id="a name before another"),
        pytest.param({"referer": "about:blank"}, 403, 200, id="no page at all"),
    ],
)
async def test_an_image_stands_on_a_page_too(
    collecting: Collecting, path: str, headers: dict[str, str], web: int, slow: int
) -> None:
    assert (await collecting.get(f"{path}web", **headers)).status == web
    assert (await collecting.get(f"{path}slow", **headers)).status == slow  # it lists no pages: mails are counted by such a one
    assert len(collecting.events) == (web == 200) + (slow == 200)


async def test_a_servers_key_is_refused_in_every_image_and_wherever_a_browser_asks(collecting: Collecting) -> None:
    for path in ("/pixel/v1/identify?userId=42&traits.email=a@x.example&writeKey=crm", "/i?aid=crm&e=pv&uid=42"):
        for headers in ({}, {"referer": ELSEWHERE}, {"sec_fetch_site": "same-origin"}):
            assert (await collecting.get(path, **headers)).status == 403
    assert (await collecting.post("/v1/page?writeKey=crm", PAGE, sec_fetch_site="none")).status == 403
    assert not collecting.events
    assert (await collecting.post("/v1/page?writeKey=crm", PAGE, referer=ELSEWHERE)).status == 200  # a server that says whose


async def test_types_that_are_not_the_keys_are_told_and_the_others_stored(collecting: Collecting) -> None:
    batch = {"writeKey": "web", "batch": [PAGE, {"type": "track", "event": "E", "anonymousId": "9f2c"}]}
    answer = await collecting.post("/v1/batch", batch)
    assert [(told["index"], told["outcome"], told["reason"]) for told in answer.document["events"]] == [(1, "refused", "type")]
    assert [event["type"] for event in collecting.events] == ["page"]


async def test_who_comes_too_fast_is_told_when_to_come_again(collecting: Collecting) -> None:
    answers = [await collecting.post("/v1/page", PAGE, authorization=by("slow")) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert answers[2].headers["retry-after"] == "1"
    assert len(collecting.events) == 2


@pytest.mark.parametrize(
    ("key", "headers", "consent", "stored"),
    [
        ("web", {}, None, 1),
        ("web", {"sec_gpc": "1"}, True, 0),
        ("web", {"dnt": "1"}, None, 0),
        ("web", {}, False, 0),
        ("asking", {}, None, 0),
        ("asking", {}, True, 1),
        ("crm", {"sec_gpc": "1"}, False, 1),
    ],
)
async def test_who_says_no_is_answered_200_and_goes_nowhere(
    collecting: Collecting, key: str, headers: dict[str, str], consent: object, stored: int
) -> None:
    context = {} if consent is None else {"consent": {"categoryPreferences": {"Analytics": consent}}}
    answer = await collecting.post("/v1/page", PAGE | {"context": context}, authorization=by(key), **headers)
    assert (answer.status, answer.document) == (200, {"success": True})
    assert len(collecting.events) == stored


@pytest.mark.parametrize(
    ("key", "told", "trust"),
    [("web", None, b"browser"), ("web", signature(b"0123456789abcdef", "42"), b"server"), ("crm", None, b"server")],
)
async def test_kafka_is_told_who_vouches_for_an_event(collecting: Collecting, key: str, told: str | None, trust: bytes) -> None:
    event = {"type": "identify", "userId": "42", "anonymousId": "9f2c", "context": {"signature": told}}
    assert (await collecting.post("/v1/identify", event, authorization=by(key))).status == 200
    headers = dict(collecting.outbox.records[0].headers or [])
    assert headers[TRUST] in {trust, trust.decode()}
    assert "signature" not in collecting.events[0]["context"]


@pytest.mark.parametrize(
    ("key", "batch", "own", "stored"),
    [("web", False, None, 0), ("web", False, True, 1), ("asking", True, None, 1), ("asking", True, False, 0)],
)
async def test_what_a_batch_says_of_consent_is_said_of_each_event_that_says_nothing_else(
    collecting: Collecting, key: str, batch: object, own: object, stored: int
) -> None:
    context = {} if own is None else {"context": {"consent": {"categoryPreferences": {"Analytics": own}}}}
    said = {"consent": {"categoryPreferences": {"Analytics": batch}}}
    answer = await collecting.post("/v1/batch", {"context": said, "batch": [PAGE | context]}, authorization=by(key))
    assert (answer.status, answer.document) == (200, {"success": True})
    assert len(collecting.events) == stored


async def test_a_signature_beside_a_batch_vouches_for_its_events_and_never_reaches_kafka(collecting: Collecting) -> None:
    signed = {"signature": signature(b"0123456789abcdef", "42")}
    event = {"type": "identify", "userId": "42", "anonymousId": "9f2c"}
    await collecting.post("/v1/batch", {"context": signed, "batch": [event]}, authorization=by("web"))
    assert dict(collecting.outbox.records[0].headers or [])[TRUST] == "server"
    assert "signature" not in collecting.events[0]["context"]


async def test_what_is_remembered_of_senders_does_not_grow_with_what_they_send() -> None:
    collecting = Collecting()
    tracemalloc.start()
    try:
        for number in range(300):
            library = {"name": f"{number}{'x' * 20_000}"}
            event = PAGE | {"context": {"library": library, "ip": f"{number}{'1' * 20_000}"}}
            await collecting.post(
                "/v1/page", event, user_agent=f"{number}{'u' * 20_000}", authorization=f"Basic {number}{'a' * 20_000}"
            )
            collecting.outbox.records.clear()
        assert tracemalloc.get_traced_memory()[0] < 4_000_000
    finally:
        tracemalloc.stop()
