"""The Snowplow tracker protocol: every kind of payload becomes one event of the contract."""

from base64 import b64encode, urlsafe_b64encode
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest

from stream.collector.limits import LIMITS
from stream.collector.pixel import GIF
from stream.collector.snowplow import HEARTBEAT_S, event_of
from tests.unit.collecting import Collecting

TP2 = "/com.snowplowanalytics.snowplow/tp2"
WHO = {"duid": "d-1", "uid": "42", "eid": "e-1", "dtm": "1795341600000", "stm": "1795341601500", "aid": "web", "p": "web"}


def described(vendor: str, name: str, data: Any) -> dict[str, Any]:
    return {"schema": f"iglu:{vendor}/{name}/jsonschema/1-0-0", "data": data}


def unstruct(vendor: str, name: str, data: Any) -> str:
    return orjson.dumps(described("com.snowplowanalytics.snowplow", "unstruct_event", described(vendor, name, data))).decode()


def contexts(*entities: dict[str, Any]) -> str:
    return orjson.dumps(described("com.snowplowanalytics.snowplow", "contexts", list(entities))).decode()


def post(*payloads: Any) -> dict[str, Any]:
    return described("com.snowplowanalytics.snowplow", "payload_data", list(payloads))


async def test_who_and_when_stand_where_the_contract_has_them() -> None:
    collecting = Collecting()
    answer = await collecting.post(TP2, post({"e": "pv", **WHO}), content_type="application/json; charset=UTF-8")
    assert (answer.status, answer.body) == (200, b'{"success":true}')
    (event,) = collecting.events
    expected = {
        "type": "page",
        "userId": "42",
        "anonymousId": "d-1",
        "messageId": "e-1",
        "originalTimestamp": "2026-11-22T10:00:00.000Z",
        "sentAt": "2026-11-22T10:00:01.500Z",
        "channel": "web",
    }
    assert expected.items() <= event.items()
    assert collecting.keys == ["user::42"]


@pytest.mark.parametrize(
    ("payload", "type_", "event", "properties"),
    [
        ({"e": "pv"}, "page", None, {}),
        ({"e": "pp", "pp_may": "900"}, "track", "Page Ping", {"dwell_s": HEARTBEAT_S, "scroll_y_max": 900}),
        (
            {"e": "se", "se_ca": "video", "se_ac": "Video Watched", "se_la": "intro", "se_va": "1.0"},
            "track",
            "Video Watched",
            {"category": "video", "action": "Video Watched", "label": "intro", "value": 1},
        ),
        ({"e": "se", "se_ca": "video", "se_va": "much"}, "track", "video", {"category": "video", "value": "much"}),
        (
            {"e": "ue", "ue_pr": unstruct("com.acme", "demo_requested", {"plan": "pro"})},
            "track",
            "Demo Requested",
            {"plan": "pro"},
        ),
        (
            {"e": "ue", "ue_px": b64encode(unstruct("com.acme", "webinar", {"id": "w1"}).encode()).decode()},
            "track",
            "Webinar",
            {"id": "w1"},
        ),
        (
            {"e": "ue", "ue_px": urlsafe_b64encode(unstruct("a", "b", {"x": "ÿÿÿ>>>???"}).encode()).decode().rstrip("=")},
            "track",
            "B",
            {"x": "ÿÿÿ>>>???"},
        ),
        ({"e": "ue", "ue_pr": unstruct("a", "submit_form", {"formId": "f"})}, "track", "Form Submitted", {"formId": "f"}),
        (
            {"e": "ue", "ue_pr": unstruct("com.snowplowanalytics.mobile", "screen_view", {"name": "Home"})},
            "screen",
            None,
            {"name": "Home"},
        ),
        ({"e": "ue", "ue_pr": unstruct("a", "b", [1])}, "track", "B", {"data": [1]}),
        ({"e": "tr", "tr_id": "o1", "tr_tt": "9.50"}, "track", "Order Completed", {"order_id": "o1", "total": 9.5}),
        ({"e": "ti", "ti_id": "o1", "ti_qu": "2"}, "track", "Order Item Added", {"order_id": "o1", "quantity": 2}),
    ],
)
def test_each_kind_becomes_an_event_of_ours(payload: dict[str, Any], type_: str, event: str | None, properties: Any) -> None:
    made = event_of(WHO | payload)
    assert (made["type"], made.get("event"), made["properties"]) == (type_, event, properties)


@pytest.mark.parametrize("told", ["1e300", "9223372036854775808", "-1e19", "9007199254740993"])
def test_a_number_larger_than_readers_of_json_take_can_be_written(told: str) -> None:
    made = event_of({**WHO, "e": "se", "se_ca": "video", "se_va": told})
    assert orjson.loads(orjson.dumps(made))["properties"]["value"] == float(told)


def test_the_page_its_campaign_and_the_tracker_are_context() -> None:
    url = "https://www.acme.example/pricing?utm_source=letter&utm_medium=email&utm_campaign=q3+2026#top"
    made = event_of(
        {
            "e": "pv",
            **WHO,
            "url": url,
            "page": "Pricing",
            "refr": "https://search.example/",
            "ip": "198.51.100.7",
            "ua": "Mozilla/5.0",
            "lang": "de-DE",
            "tz": "Europe/Berlin",
            "res": "1920x1080",
            "sid": "s-1",
            "tv": "js-4.10.1",
        }
    )
    assert made["context"] == {
        "ip": "198.51.100.7",
        "userAgent": "Mozilla/5.0",
        "locale": "de-DE",
        "timezone": "Europe/Berlin",
        "sessionId": "s-1",
        "app": {"namespace": "web"},
        "screen": {"width": 1920, "height": 1080},
        "library": {"name": "snowplow-js", "version": "4.10.1"},
        "page": {
            "url": url,
            "title": "Pricing",
            "referrer": "https://search.example/",
            "path": "/pricing",
            "search": "?utm_source=letter&utm_medium=email&utm_campaign=q3+2026",
        },
        "campaign": {"source": "letter", "medium": "email", "name": "q3 2026"},
    }


@pytest.mark.parametrize("member", ["co", "cx"])
def test_a_sites_own_entities_are_properties_and_snowplows_own_are_context(member: str) -> None:
    told = contexts(
        described("com.acme", "article", {"topics": ["crm"]}),
        described("com.acme", "product", {"sku": 1}),
        described("com.acme", "product", {"sku": 2}),
        described("com.snowplowanalytics.snowplow", "web_page", {"id": "p-1"}),
        {"schema": 5},
        "no entity",  # type: ignore[arg-type]  # what clients send is not typed
    )
    made = event_of({"e": "pv", **WHO, member: told if member == "co" else b64encode(told.encode()).decode()})
    assert made["properties"] == {"article": {"topics": ["crm"]}, "product": [{"sku": 1}, {"sku": 2}]}
    assert made["context"]["snowplow"] == {"web_page": {"id": "p-1"}}


def test_an_entity_never_replaces_what_the_event_says_itself() -> None:
    told = contexts(described("com.acme", "plan", {"name": "free"}))
    made = event_of({"e": "ue", **WHO, "ue_pr": unstruct("com.acme", "upgrade", {"plan": "pro"}), "co": told})
    assert made["properties"] == {"plan": "pro"}


def test_without_a_domain_user_the_session_or_the_network_user_names_the_device() -> None:
    session = contexts(described("com.snowplowanalytics.snowplow", "client_session", {"userId": "mobile-1"}))
    assert event_of({"e": "pv", "co": session})["anonymousId"] == "mobile-1"
    assert event_of({"e": "pv", "tnuid": "net-1"})["anonymousId"] == "net-1"


@pytest.mark.parametrize(
    "payload",
    [
        {"e": "xx", "duid": "d"},
        {"duid": "d"},
        {"e": ["pv"], "duid": "d"},
        {"e": "ue", "duid": "d", "ue_pr": "{"},
        {"e": "ue", "duid": "d", "ue_px": "%%%"},
        {"e": "ue", "duid": "d", "ue_pr": '{"data": {"schema": "nonsense", "data": {}}}'},
        {"e": "pv", "duid": "d", "dtm": "yesterday"},
        {"e": "pv", "duid": "d", "dtm": "9999999999999999"},
        {"e": "pv", "duid": "d", "dtm": [1]},
        {"e": "pv", "duid": "d", "url": "http://[bad", "co": "[]", "tv": 5, "res": "x", "page": {"a": 1}},
        {"e": "pv"},
        "no payload",
    ],
)
async def test_nothing_odd_is_lost_and_nothing_stops_the_others(payload: Any) -> None:
    collecting = Collecting()
    answer = await collecting.post(TP2, post(payload, {"e": "pv", **WHO}))
    assert answer.status == 200
    assert len(collecting.outbox.records) == 2
    assert collecting.events[1]["messageId"] == "e-1"


@pytest.mark.parametrize("body", [{}, [], {"data": []}, {"data": {}}, "x"])
async def test_what_is_no_payload_list_is_refused(body: Any) -> None:
    assert (await Collecting().post(TP2, body)).status == 400


async def test_too_many_payloads_are_refused_before_one_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.collector.snowplow.event_of", lambda _: pytest.fail("one was read"))
    assert (await Collecting().post(TP2, {"data": [{}] * (LIMITS.events + 1)})).status == 413


async def test_a_get_is_one_event_and_is_answered_by_a_pixel() -> None:
    collecting = Collecting()
    query = urlencode({"e": "se", "se_ac": "Demo Requested", "page": "Häuser & Gärten", "ua": "Mozilla/5.0", **WHO})
    answer = await collecting.get(f"/i?{query}", user_agent="python-requests/2.32")
    assert (answer.status, answer.headers["content-type"], answer.body) == (200, "image/gif", GIF)
    (event,) = collecting.events
    assert (event["event"], event["context"]["page"]["title"], event["context"]["userAgent"]) == (
        "Demo Requested",
        "Häuser & Gärten",
        "Mozilla/5.0",
    )


async def test_the_app_id_is_the_write_key(tmp_path: Any) -> None:
    table = tmp_path / "keys.toml"
    table.write_text('[keys.web]\nname = "website"\n')
    collecting = Collecting(Collecting().settings.model_copy(update={"write_keys": table}))
    assert (await collecting.post(TP2, post({"e": "pv", **WHO}))).status == 200
    assert (await collecting.get(f"/i?{urlencode({'e': 'pv', **WHO})}")).status == 200
    assert (await collecting.post(TP2, post({"e": "pv", **WHO, "aid": "other"}))).status == 401


async def test_an_app_id_that_is_a_servers_secret_never_reaches_kafka(tmp_path: Any) -> None:
    table = tmp_path / "keys.toml"
    table.write_text('[keys.s3cret]\nname = "crm"\ntrust = "server"\n[keys.web]\n')
    collecting = Collecting(Collecting().settings.model_copy(update={"write_keys": table}))
    kinds: list[dict[str, Any]] = [{"e": "pv"}, {"e": "zz"}, {"e": "ue", "ue_pr": "{"}, {"e": 5}]
    assert (await collecting.post(TP2, post(*({**each, **WHO, "aid": "s3cret"} for each in kinds), 7))).status == 200
    assert len(collecting.outbox.records) == 5
    assert not [record for record in collecting.outbox.records if b"s3cret" in record.value]
    signed = {"authorization": "Basic " + b64encode(b"s3cret:").decode()}
    assert (await collecting.post(TP2, post({"e": "pv", **WHO}), **signed)).status == 200
    assert (await collecting.post(TP2, post({"e": "pv", **WHO}))).status == 200
    assert [event["context"]["app"] for event in collecting.events[-2:]] == [{"namespace": "web"}] * 2


@pytest.mark.parametrize("payload", [{"e": "ad"}, {}, {"e": "ue"}, {"e": "ue", "ue_pr": "no JSON"}])
def test_what_is_no_kind_of_snowplows_is_kept_whole_but_for_the_address(payload: dict[str, Any]) -> None:
    """It stands in `context`, where it is cut."""
    made = event_of(WHO | payload | {"ip": "203.0.113.77"})
    assert made["context"]["ip"] == "203.0.113.77"
    assert made["properties"] == WHO | payload


def test_half_a_character_in_what_is_packed_is_mended_as_in_a_body() -> None:
    """`JSON.stringify` writes it so where a title was cut through an emoji."""
    half = unstruct("com.acme", "demo_requested", {"plan": "HALF"}).replace("HALF", "\\ud83d")
    entity = contexts(described("com.acme", "article", {"topics": "HALF"})).replace("HALF", "\\ud83d")
    in_base64 = {"ue_px": b64encode(half.encode()).decode(), "cx": b64encode(entity.encode()).decode()}
    for packed in ({"ue_pr": half, "co": entity}, in_base64):
        made = event_of(WHO | {"e": "ue"} | packed)
        assert (made["event"], made["properties"]) == ("Demo Requested", {"plan": "\ufffd", "article": {"topics": "\ufffd"}})
