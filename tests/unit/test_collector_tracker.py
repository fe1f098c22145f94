"""What our own script sends from a page: node runs it, in as much of a page as it looks at."""

import json
import shutil
import subprocess
from importlib import resources
from typing import Any

import pytest

from tests.unit.collecting import Collecting

pytestmark = pytest.mark.skipif(not shutil.which("node"), reason="no node: what our script sends from a page is not tried")

PAGE = """
const vm = require("vm"), {script, queue, stored} = JSON.parse(require("fs").readFileSync(0, "utf8")), sent = [];
const window = {analytics: Object.assign(queue, {_writeKey: "K1"})};
vm.runInNewContext(script, {
  window, setTimeout,
  document: {
    title: "Prices", referrer: "",
    currentScript: {src: "https://c.example/analytics.js/v1/K1/analytics.min.js", getAttribute: () => null},
  },
  location: {href: "https://s.example/p?utm_source=a%20b#x", pathname: "/p", search: "?utm_source=a%20b"},
  navigator: {userAgent: "UA", language: "de"},
  localStorage: {
    getItem: n => n in stored ? stored[n] : null, setItem: (n, v) => stored[n] = v, removeItem: n => { delete stored[n]; },
  },
  fetch: (url, told) => {
    sent.push([url, told.headers["Content-Type"], JSON.parse(told.body)]);
    return Promise.resolve({status: STATUS, headers: {get: () => "0"}});
  },
});
const analytics = window.analytics;
LATER
setTimeout(() => console.log(JSON.stringify({sent, stored})), 50);
"""

Call = list[Any]


def ran(*queue: Call, later: str = "", status: str = "200", stored: dict[str, str] | None = None) -> dict[str, Any]:
    """Return what the script sent, and what the browser keeps: `queue` is called before it is there, `later` is JavaScript."""
    told = {
        "script": resources.files("stream.collector").joinpath("tracker.js").read_text("utf-8"),
        "queue": queue,
        "stored": stored or {},
    }
    page = PAGE.replace("STATUS", status).replace("LATER", later)
    done = subprocess.run(["node", "-e", page], input=json.dumps(told), capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def events(found: dict[str, Any]) -> list[dict[str, Any]]:
    return [event for _, _, event in found["sent"]]


async def test_our_script_sends_what_segments_snippet_has_queued() -> None:
    sent = ran(
        ["page", "Docs", "Pricing"],
        ["track", "Demo Requested", {"plan": "pro"}],
        later='analytics.identify("42", {email: "a@b.example"});',
        status="sent.length === 1 ? 503 : 200",
    )["sent"]
    assert [url for url, _, _ in sent] == [f"https://c.example/v1/{name}" for name in ("page", "track", "identify", "page")]
    collecting = Collecting()
    for url, kind, event in sent:
        answer = await collecting.post(url.removeprefix("https://c.example"), event, content_type=kind)
        assert answer.body == b'{"success":true}'
    page, track, identify, again = collecting.events
    assert (page["name"], page["category"], page["context"]["campaign"]) == ("Pricing", "Docs", {"source": "a b"})
    assert (track["event"], track["properties"]) == ("Demo Requested", {"plan": "pro"})
    assert (identify["userId"], identify["traits"], identify["anonymousId"]) == (
        "42",
        {"email": "a@b.example"},
        page["anonymousId"],
    )
    assert again["messageId"] == page["messageId"], "what was not stored is sent again under its id"


THERE = {
    "__t": "bpc",
    "c": None,
    "p": "/q",
    "u": "https://s.example/q?utm_source=mail#x",
    "s": "?utm_source=mail",
    "t": "Q",
    "r": "R",
}
"""What Segment's snippet puts behind the arguments of each call, since its version 5.0."""


def test_where_a_page_was_when_it_called_is_no_data_of_the_call() -> None:
    found = ran(
        ["page", THERE],
        ["track", "Signed Up", THERE],
        ["identify", "42", THERE],
        ["alias", "43", THERE],
        ["group", "g1", THERE],
        ["track", "Plain"],
    )
    page, track, identify, alias, group, plain = events(found)
    there = {
        "url": "https://s.example/q?utm_source=mail",
        "path": "/q",
        "search": "?utm_source=mail",
        "title": "Q",
        "referrer": "R",
    }
    assert (page["properties"], track["properties"], identify["traits"], group["traits"]) == (there, {}, {}, {})
    assert alias["previousId"] == alias["anonymousId"]
    assert {json.dumps(each["context"]["page"]) for each in (page, track, identify, alias, group)} == {json.dumps(there)}
    assert page["context"]["campaign"] == {"source": "mail"}
    assert plain["context"]["page"]["url"] == "https://s.example/p?utm_source=a%20b"
    assert "bpc" not in json.dumps(found)


def test_another_user_has_nothing_of_the_one_before() -> None:
    later = 'analytics.identify("A", {email: "a@x.example", title: "CEO"}); analytics.identify("B", {plan: "free"});'
    found = ran(["page"], later=f"{later} analytics.track('Signed Up');")
    page, ada, bob, track = events(found)
    assert (ada["userId"], ada["anonymousId"]) == ("A", page["anonymousId"])
    assert (bob["userId"], bob["traits"]) == ("B", {"plan": "free"})
    assert bob["anonymousId"] == track["anonymousId"] != ada["anonymousId"]
    assert json.loads(found["stored"]["ajs_user_traits"]) == {"plan": "free"}
    assert json.loads(found["stored"]["ajs_anonymous_id"]) == bob["anonymousId"]


def test_the_same_user_keeps_what_is_known_also_on_the_next_page() -> None:
    stored = {"ajs_user_id": "42", "ajs_user_traits": '{"email": "a@x.example"}', "ajs_anonymous_id": '"9f2c"'}
    found = ran(["identify", "42", {"plan": "free"}], ["identify", {"title": "CEO"}], stored=stored)
    assert [(each["anonymousId"], each["traits"].get("email")) for each in events(found)] == [("9f2c", "a@x.example")] * 2
    assert events(found)[1]["traits"] == {"email": "a@x.example", "plan": "free", "title": "CEO"}


def test_who_is_known_for_the_first_time_keeps_cookie_and_traits() -> None:
    first, second = events(ran(["identify", {"plan": "free"}], ["identify", "42", {"email": "a@x.example"}]))
    assert first["anonymousId"] == second["anonymousId"]
    assert second["traits"] == {"plan": "free", "email": "a@x.example"}
