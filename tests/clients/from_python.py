"""Send events with unmodified client libraries: `python from_python.py http://HOST:PORT`; prints how many, by user, as JSON."""

import json
import sys
from importlib import import_module
from typing import Any

rudder: Any = import_module("rudderstack.analytics")  # none of them is typed
segment: Any = import_module("segment.analytics")
snowplow: Any = import_module("snowplow_tracker")

URL = "https://www.acme.example/pricing?utm_source=letter"
KEY = "K-1"
DEMO = "iglu:example.acme/demo_requested/jsonschema/1-0-0"


def by_segment(address: str, user: str, *, packed: bool) -> int:
    client = segment.Client(KEY, host=address, gzip=packed, upload_interval=0.05)
    client.page(user, "Docs", "Pricing", {"url": URL})
    client.track(user, "Demo Requested", {"plan": "pro"})
    client.identify(user, {"email": f"{user}@acme.example"})
    client.group(user, "acme", {"name": "Acme"})
    client.alias("old-cookie-1", user)
    client.screen(user, "App", "Home")
    client.flush()
    client.shutdown()
    return 6


def by_rudder(address: str, user: str) -> int:
    client = rudder.Client(KEY, host=address, upload_interval=0.05)
    for number in range(12):
        client.track(user, "Demo Requested", {"number": number})
    client.identify(user, {"email": f"{user}@acme.example"})
    client.flush()
    client.shutdown()
    return 13


def by_snowplow(address: str, user: str, method: str) -> int:
    told = snowplow.EmitterConfiguration(batch_size=3, byte_limit=None)
    tracker = snowplow.Snowplow.create_tracker(namespace=method, endpoint=address, method=method, emitter_config=told)
    subject = snowplow.Subject().set_user_id(user).set_domain_user_id(f"device-of-{user}").set_useragent("Mozilla/5.0")
    for event in (
        snowplow.PageView(page_url=URL, page_title="Pricing", event_subject=subject),
        snowplow.PagePing(page_url=URL, page_title="Pricing", max_y=900, event_subject=subject),
        snowplow.StructuredEvent(category="video", action="Video Watched", event_subject=subject),
        snowplow.SelfDescribing(snowplow.SelfDescribingJson(DEMO, {"plan": "pro"}), event_subject=subject),
    ):
        tracker.track(event)
    tracker.flush()
    return 4


def main() -> None:
    address = sys.argv[1]
    sent = {
        "segment-python": by_segment(address, "segment-python", packed=False),
        "segment-python-gzip": by_segment(address, "segment-python-gzip", packed=True),
        "rudder-python": by_rudder(address, "rudder-python"),
        "snowplow-python-post": by_snowplow(address, "snowplow-python-post", "post"),
        "snowplow-python-get": by_snowplow(address, "snowplow-python-get", "get"),
    }
    print(json.dumps(sent))  # noqa: T201 - that is what it is for


main()
