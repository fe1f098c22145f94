"""What the collector adds: the sender's address and user agent where they are the visitor's, and an id where there is none."""

import asyncio
from typing import Any

import pytest

from stream.collector.request import Refused
from stream.collector.sending import RETRY_AFTER_S
from stream.lookups import Lookups
from tests.unit.collecting import Collecting

BROWSER = "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"
PAGE: dict[str, Any] = {"type": "page", "anonymousId": "9f2c"}


def by(library: str) -> dict[str, Any]:
    return PAGE | {"context": {"library": {"name": library}}}


@pytest.mark.parametrize(
    ("agent", "event", "address", "kept"),
    [
        (BROWSER, PAGE, "203.0.113.0", BROWSER),
        (BROWSER, by("analytics.js"), "203.0.113.0", BROWSER),
        (BROWSER, by("RudderLabs JavaScript SDK"), "203.0.113.0", BROWSER),
        (BROWSER, PAGE | {"context": {"ip": "198.51.100.9", "userAgent": "Safari"}}, "198.51.100.0", "Safari"),
        ("MyApp/1.0", PAGE, "203.0.113.0", "MyApp/1.0"),
        ("curl/8.5.0", PAGE, "203.0.113.0", None),
        ("python-requests/2.32", by("snowplow-py"), None, None),
        ("analytics-python/2.4.0", PAGE, None, None),
        ("analytics-node/3.0.13", by("analytics-node"), None, None),
        ("node", by("@segment/analytics-node"), None, None),
        ("axios/1.7", PAGE | {"channel": "server"}, None, None),
        ("Ruby", by("analytics-ruby"), None, None),
        ("Analytics.NET/3.8.1", by("Analytics.NET"), None, None),
        ("RudderAnalytics.NET/1.1", by("RudderAnalytics.NET"), None, None),
        (BROWSER, by("tracker.example.net"), "203.0.113.0", BROWSER),
    ],
)
async def test_the_connection_is_the_visitors_unless_a_server_passes_events_on(
    agent: str, event: dict[str, Any], address: str | None, kept: str | None
) -> None:
    collecting = Collecting()
    await collecting.post("/v1/page", event, user_agent=agent)
    context = collecting.events[0]["context"]
    assert (context.get("ip"), context.get("userAgent")) == (address, kept)


@pytest.mark.parametrize("agent", ["Go-http-client/2.0", "python-requests/2.32", "curl/8.5.0"])
async def test_a_scanner_that_opens_a_mail_by_a_library_is_known_for_a_robot(agent: str) -> None:
    collecting = Collecting()
    await collecting.get("/pixel/v1/track?event=Email+Opened&anonymousId=9f2c", user_agent=agent)
    await collecting.post("/v1/track", {"event": "Demo Requested", "anonymousId": "9f2c"}, user_agent=agent)
    opened, carried = (event["context"].get("userAgent") for event in collecting.events)
    assert (Lookups().is_bot(opened), carried) == (True, None)


async def test_a_context_that_is_none_is_left_for_the_judge() -> None:
    collecting = Collecting()
    answer = await collecting.post("/v1/page", PAGE | {"context": "web"}, user_agent=BROWSER)
    assert answer.document["events"][0]["reason"] == "schema_violation"
    assert collecting.events[0]["context"] == "web"


async def test_the_same_request_sent_again_has_the_same_ids() -> None:
    collecting = Collecting()
    batch = {
        "batch": [PAGE | {"event": "a"}, PAGE | {"messageId": ""}, PAGE | {"messageId": None, "event": "b"}],
        "sentAt": "2026-11-22",
    }
    await collecting.post("/v1/batch", batch)
    first = [event["messageId"] for event in collecting.events]
    await collecting.post("/v1/batch", batch, user_agent=BROWSER)
    assert [event["messageId"] for event in collecting.events[3:]] == first
    assert len(set(first)) == 3


@pytest.mark.parametrize(
    ("one", "another", "ids"),
    [
        (PAGE, PAGE, 1),
        (PAGE, PAGE | {"name": "b"}, 2),
        (PAGE | {"sentAt": "2026-11-22T10:00:00Z"}, PAGE | {"sentAt": "2026-11-22T10:00:01Z"}, 2),
        (
            PAGE | {"timestamp": "2026-11-22T09:00:00Z", "sentAt": "2026-11-22T10:00:00Z"},
            PAGE | {"timestamp": "2026-11-22T09:00:00Z", "sentAt": "2026-11-22T10:00:01Z"},
            1,
        ),
        (PAGE | {"timestamp": "2026-11-22T09:00:00Z"}, PAGE | {"timestamp": "2026-11-22T09:00:01Z"}, 2),
        (PAGE | {"receivedAt": "2026-11-22T09:00:00Z"}, PAGE | {"receivedAt": "2026-11-22T09:00:01Z"}, 1),
    ],
    ids=["equal", "another-page", "sent-again-later", "a-retry-later", "another-time", "received"],
)
async def test_an_id_tells_what_happened_from_how_it_travelled(one: Any, another: Any, ids: int) -> None:
    collecting = Collecting()
    await collecting.post("/v1/page", one)
    await collecting.post("/v1/page", another)
    found = {event["messageId"] for event in collecting.events}
    assert len(found) == ids


async def test_a_number_as_message_id_is_the_judges_business() -> None:
    collecting = Collecting()
    answer = await collecting.post("/v1/page", PAGE | {"messageId": 0})
    assert answer.document["events"][0]["reason"] == "schema_violation"


async def test_the_answer_is_503_until_kafka_has_every_event() -> None:
    collecting = Collecting()
    collecting.outbox.refuses = Refused(503, "kafka", "not stored", RETRY_AFTER_S)
    for answer in (
        await collecting.post("/v1/page", PAGE),
        await collecting.post("/v1/batch", {"batch": [PAGE, 7]}),
        await collecting.get("/i?e=pv&duid=9f2c"),
        await collecting.get("/pixel/v1/page?anonymousId=9f2c"),
    ):
        assert (answer.status, answer.headers["retry-after"], answer.document["success"]) == (503, "2", False)


async def test_an_image_is_an_event_each_time_also_with_the_time_its_mail_was_sent() -> None:
    collecting = Collecting()
    for _ in range(2):
        await asyncio.sleep(0.002)
        await collecting.get("/pixel/v1/track?event=Email+Opened&anonymousId=9f2c&timestamp=2026-11-22T10:00:00Z")
    assert len({event["messageId"] for event in collecting.events}) == 2


async def test_what_a_script_sends_again_by_an_image_is_one_event() -> None:
    """Snowplow's clients tell when it happened (`dtm`) and when they sent it (`stm`), by another clock the second time."""
    collecting = Collecting()
    for sent in (1, 2):
        await asyncio.sleep(0.002)
        await collecting.get(f"/i?e=pv&duid=9f2c&dtm=1795341600000&stm=179534160000{sent}")
    assert len({event["messageId"] for event in collecting.events}) == 1


async def test_pages_that_a_batch_alone_tells_apart_are_two_events_and_a_retry_is_one() -> None:
    collecting = Collecting()
    for page in ("pricing", "docs", "docs"):
        context = {"page": {"url": f"https://acme.example/{page}"}}
        await collecting.post("/v1/batch", {"batch": [{"type": "page", "anonymousId": "9f2c"}], "context": context})
    ids = [event["messageId"] for event in collecting.events]
    assert (ids[0] != ids[1], ids[1] == ids[2]) == (True, True)
