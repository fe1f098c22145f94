"""The lines for integrators do what their page says."""

import asyncio
import hmac
import json
import re
import shlex
import shutil
import subprocess
from base64 import b64encode
from importlib import resources
from pathlib import Path

import pytest

from stream.cli.rules import intake_of, rules_of
from stream.collector.key_file import read_text
from stream.collector.signatures import signature
from stream.collector.snowplow import HEARTBEAT_S
from stream.settings import Settings
from stream.simulation import simulate
from tests.unit.collecting import Collecting

PAGE = (Path(__file__).parents[2] / "docs" / "for-trackers.md").read_text("utf-8")
BASE = "https://collect.example.com"


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)


CURLS = [line for block in blocks("sh") for line in block.splitlines() if "/v1/validate" not in line]


@pytest.fixture
def collecting(tmp_path: Path) -> Collecting:
    keys = tmp_path / "keys.toml"
    keys.write_text(blocks("toml")[0])
    return Collecting(Settings(write_keys=keys))


@pytest.mark.parametrize("line", CURLS)
async def test_each_curl_is_accepted(collecting: Collecting, line: str) -> None:
    _, _, user, _, body, url = shlex.split(line)
    answer = await collecting.post(
        url.removeprefix(BASE), body.encode(), authorization="Basic " + b64encode(user.encode()).decode()
    )
    assert (answer.status, answer.document) == (200, {"success": True})
    assert collecting.events


async def test_the_image_is_accepted(collecting: Collecting) -> None:
    (source,) = re.findall(rf'<img src="{BASE}(.*?)"', PAGE)
    assert (await collecting.get(source)).status == 200
    assert collecting.events[0]["event"] == "Email Opened"


VISIT = """
const vm = require("vm"), {script, ticks} = JSON.parse(require("fs").readFileSync(0, "utf8")), sent = [], often = [];
const send = (url, body) => { sent.push([url, body]); return true; };
vm.runInNewContext(script, {
  id: "9f2c",
  location: {href: "https://www.example.com/products/pipeline-monitor"},
  document: {title: "Pipeline monitor", visibilityState: "visible"},
  navigator: {sendBeacon: send},
  fetch: (url, told) => send(url, told.body),
  setInterval: (then, ms) => often.push([then, ms]),
});
for (let tick = 0; tick < ticks; tick++) often.forEach(([then]) => then());
console.log(JSON.stringify({sent, every: often.map(([, ms]) => ms)}));
"""
"""A page on http (no crypto), as much of it as the lines look at."""

needs_node = pytest.mark.skipif(not shutil.which("node"), reason="no node: what the page's lines send is not tried")


async def visit(collecting: Collecting, ticks: int = 0) -> list[int]:
    """Run the lines for a page as they stand there, give the collector what they send, return every how many ms they do it."""
    told = json.dumps({"script": blocks("js")[0], "ticks": ticks})
    done = await asyncio.to_thread(subprocess.run, ["node", "-e", VISIT], input=told, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    for url, body in found["sent"]:
        answer = await collecting.post(
            url.removeprefix(BASE), body.encode(), origin="https://www.example.com", content_type="text/plain"
        )
        assert (answer.status, answer.document) == (200, {"success": True})
        assert answer.headers["access-control-allow-origin"] == "https://www.example.com"
    every: list[int] = found["every"]
    return every


@needs_node
async def test_a_page_that_is_viewed_three_times_is_three_views(collecting: Collecting) -> None:
    for _ in range(3):
        await visit(collecting)
    views = [event["messageId"] for event in collecting.events if event["type"] == "page"]
    assert (len(views), len({event["messageId"] for event in collecting.events})) == (3, len(collecting.events))


@needs_node
@pytest.mark.parametrize(("ticks", "views"), [(0, 1.0), (6, 1.6), (30, 4.0), (500, 4.0)])
async def test_who_stays_on_a_page_has_more_of_its_topics_by_the_shipped_ruleset(
    collecting: Collecting, ticks: int, views: float
) -> None:
    assert await visit(collecting, ticks) == [HEARTBEAT_S * 1000]
    rules = rules_of(None)
    (visitor,) = simulate([record.value for record in collecting.outbox.records], rules, intake_of(Settings(), rules))["visitors"]
    assert [tag["weight"] for tag in visitor["tags"]] == [pytest.approx(views, rel=1e-3)]


TAGS = """
const vm = require("vm"), {scripts, src} = JSON.parse(require("fs").readFileSync(0, "utf8")), sent = [];
const page = vm.createContext({
  setTimeout,
  document: {title: "Prices", referrer: "", currentScript: {src, getAttribute: () => null}},
  location: {href: "https://www.example.com/pricing", pathname: "/pricing", search: ""},
  navigator: {userAgent: "UA", language: "de"},
  fetch: (url, told) => { sent.push([url, JSON.parse(told.body)]); return Promise.resolve({status: 200}); },
});
page.window = page;
scripts.forEach(script => vm.runInContext(script, page));
console.log(JSON.stringify(sent));
"""


@needs_node
@pytest.mark.parametrize("loads", ["between", "last"])
async def test_the_tags_for_no_client_at_all_send_a_page_view_and_what_is_pushed_whenever_the_script_loads(loads: str) -> None:
    (inline, src) = re.findall(r"`<script>(.*?)</script><script async src=\"(.*?)\"></script>`", PAGE)[0]
    (push,) = re.findall(r"`(analytics\.push\(.*?\))`", PAGE)
    ours = resources.files("stream.collector").joinpath("tracker.js").read_text("utf-8")
    scripts = [inline, ours, push] if loads == "between" else [inline, push, ours]
    told = json.dumps({"scripts": scripts, "src": src})
    done = await asyncio.to_thread(subprocess.run, ["node", "-e", TAGS], input=told, capture_output=True, text=True, check=True)
    sent = json.loads(done.stdout)
    assert [url for url, _ in sent] == [f"{BASE}/v1/page", f"{BASE}/v1/track"]
    assert {event["writeKey"] for _, event in sent} == {"web-4f1c"}
    assert [event.get("event") for _, event in sent] == [None, "Demo Requested"]


def test_whoever_varies_a_line_for_the_shell_sees_that_an_event_has_an_id() -> None:
    sent = [json.loads(shlex.split(line)[4]) for line in CURLS]
    ids = [event.get("messageId") for told in sent for event in told.get("batch", [told])]
    assert None not in ids
    assert len(set(ids)) == len(ids)


def test_the_file_of_keys_is_one() -> None:
    keys = read_text(blocks("toml")[0].encode(), "keys.toml")
    assert {key.trust for key in keys.values()} == {"browser", "server"}


def test_the_signature_is_what_the_collector_checks() -> None:
    made: dict[str, str] = {}
    (line,) = blocks("python")
    exec(line, {"hmac": hmac, "secret": "keep this one on the server", "user_id": "42", "context": made})  # noqa: S102 - the page's own
    assert made["signature"] == signature(b"keep this one on the server", "42")
