"""What the collector answers beside events: pixels, preflights, first fetches, refusals."""

from base64 import b64encode

import orjson
import pytest

from stream.collector.pixel import GIF
from tests.unit.collecting import Collecting

PAGE = {"type": "page", "anonymousId": "9f2c"}


@pytest.mark.parametrize("type_", ["page", "track", "identify"])
async def test_an_image_is_an_event(type_: str) -> None:
    collecting = Collecting()
    query = "event=Email+Opened&anonymousId=9f2c&properties.mail.id=q3&traits.email=a%40b.example&writeKey=K"
    answer = await collecting.get(f"/pixel/v1/{type_}?{query}", user_agent="Outlook", referer="https://mail.example/")
    assert (answer.status, answer.headers["content-type"], answer.body) == (200, "image/gif", GIF)
    assert "no-store" in answer.headers["cache-control"]
    (event,) = collecting.events
    assert (event["type"], event["event"], event["properties"], event["traits"]) == (
        type_,
        "Email Opened",
        {"mail": {"id": "q3"}},
        {"email": "a@b.example"},
    )
    assert event["context"] == {"page": {"url": "https://mail.example/"}, "ip": "203.0.113.0", "userAgent": "Outlook"}
    assert "writeKey" not in event


async def test_segments_pixel_carries_the_event_in_base64() -> None:
    collecting = Collecting()
    data = b64encode(orjson.dumps(PAGE | {"writeKey": "K"})).decode()
    assert (await collecting.get(f"/v1/pixel/page?data={data}")).body == GIF
    assert collecting.events[0]["anonymousId"] == "9f2c"
    assert (await collecting.get("/v1/pixel/page?data=nonsense")).status == 400


async def test_two_openings_of_a_mail_are_two_events(monkeypatch: pytest.MonkeyPatch) -> None:
    collecting = Collecting()
    for at_s in (1_795_341_600.0, 1_795_341_600.001):
        monkeypatch.setattr("stream.collector.app.time.time", lambda at_s=at_s: at_s)
        await collecting.get("/pixel/v1/track?event=Email+Opened&anonymousId=9f2c")
    assert len({event["messageId"] for event in collecting.events}) == 2


@pytest.mark.parametrize("argument", ["a.b.c.d.e.f.g.h.i.j=1", "type=page&type.x=1", "context.page=x&context.page.url=y"])
async def test_arguments_that_lead_nowhere_are_left_out(argument: str) -> None:
    collecting = Collecting()
    assert (await collecting.get(f"/pixel/v1/page?anonymousId=9f2c&{argument}")).status == 200


async def test_a_page_elsewhere_is_asked_back_by_its_browser_and_let_in() -> None:
    collecting = Collecting()
    asked = "anonymousid,authorization,content-type,rsa-retry-attempt,sentat,x-retry-count"
    answer = await collecting.ask(
        "OPTIONS",
        "/v1/p",
        origin="https://www.acme.example",
        access_control_request_method="POST",
        access_control_request_headers=asked,
    )
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["access-control-allow-headers"] == asked
    for _ in range(2):
        told = await collecting.post("/v1/p", PAGE, origin="https://www.acme.example")
        assert told.headers["access-control-allow-origin"] == "https://www.acme.example"
        assert told.headers["access-control-expose-headers"] == "Retry-After"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/v1/visitors/anon::9f2c", 404),
        ("POST", "/v2/batch", 404),
        ("GET", "/v1/batch", 405),
        ("DELETE", "/v1/page", 405),
        ("POST", "/i", 405),
    ],
)
async def test_nothing_else_is_here(method: str, path: str, status: int) -> None:
    answer = await Collecting().ask(method, path, origin="https://www.acme.example")
    assert (answer.status, answer.document["success"]) == (status, False)
    assert answer.headers["access-control-allow-origin"] == "https://www.acme.example"


async def test_clients_are_told_that_events_go_to_where_their_settings_came_from() -> None:
    collecting = Collecting()
    settings = (await collecting.get("/v1/projects/K1/settings")).document["integrations"]["Segment.io"]
    assert (settings["apiKey"], settings["apiHost"], settings["protocol"]) == ("K1", "collect.example/v1", "http")
    behind = (await collecting.get("/v1/projects/K1/settings", x_forwarded_proto="https")).document
    assert behind["integrations"]["Segment.io"]["protocol"] == "https"
    rudder = (await collecting.get("/sourceConfig/?p=npm&v=3.34.1&writeKey=K1")).document["source"]
    assert (rudder["enabled"], rudder["writeKey"], rudder["destinations"]) == (True, "K1", [])
    script = await collecting.get("/analytics.js/v1/K1/analytics.min.js")
    assert script.headers["content-type"].startswith("application/javascript")
    assert b"localStorage" in script.body
