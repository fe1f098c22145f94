"""What operators and integrators see of what comes in, and that it never grows."""

import json
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from stream.collector import signin
from stream.collector.request import Refused, Request
from stream.collector.watching import BUDGET_BYTES, LAST, LONGEST, Watching
from stream.collector.write_keys import WriteKey
from stream.settings import Settings
from tests.unit.collecting import Answered, Collecting

KEY = WriteKey("website")
SECRET = "s3cret"


def event(library: object = "analytics.js") -> dict[str, object]:
    return {"type": "page", "context": {"library": {"name": library}}}


def note(watching: Watching, key: WriteKey, event: object, outcome: str, value: bytes = b"") -> None:
    watching.note(key, [(watching.library(event), outcome, value)])


def counted(watching: Watching) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families(watching.exposition().decode())
    return {(sample.name, *sample.labels.values()): sample.value for family in families for sample in family.samples}


def test_events_are_counted_by_key_library_and_outcome() -> None:
    watching = Watching()
    note(watching, KEY, event(), "accepted", b"{}")
    note(watching, KEY, event(), "accepted", b"{}")
    note(watching, KEY, event("@segment/node"), "gpc")
    note(watching, WriteKey("crm"), {"context": {"library": 5}}, "dead_letter", b"{}")
    note(watching, WriteKey("crm"), "no object", "accepted", b"{}")
    watching.answered(200)
    watching.answered(401, "write_key")
    name = "leadstream_collector_events_total"
    assert counted(watching) == {
        (name, "website", "analytics.js", "accepted"): 2,
        (name, "website", "@segment/node", "gpc"): 1,
        (name, "crm", "none", "dead_letter"): 1,
        (name, "crm", "none", "accepted"): 1,
        ("leadstream_collector_requests_total", "", "200"): 1,
        ("leadstream_collector_requests_total", "write_key", "401"): 1,
    }


def test_libraries_are_few_and_no_place_for_somebodys_address() -> None:
    watching = Watching()
    for name in ["a" * 60, "<script>", 'x"y\n', *(f"lib-{number}" for number in range(500))]:
        note(watching, KEY, event(name), "accepted")
    assert len(counted(watching)) == 101
    assert "script" not in watching.exposition().decode()


def test_the_last_hundred_events_of_a_key_can_be_seen() -> None:
    watching = Watching(clock=lambda: 1.0)
    for number in range(150):
        note(watching, KEY, event(), "accepted", json.dumps({"n": number}).encode())
    last = watching.last("website")
    assert len(last) == LAST
    assert [json.loads(seen.value)["n"] for seen in (last[0], last[-1])] == [50, 149]
    assert watching.last("nobody") == []


def test_what_is_kept_of_events_is_bounded_for_all_keys_together() -> None:
    watching = Watching(keys=1000)
    for number in range(1000):
        for _ in range(120):
            note(watching, WriteKey(f"k{number}"), event(), "accepted", b"x" * 100_000)
    held = sum(len(seen.value) for number in range(1000) for seen in watching.last(f"k{number}"))
    assert held <= BUDGET_BYTES
    assert watching.last("k7")[-1].size == 100_000
    assert len(watching.last("k7")[-1].value) == LONGEST


def test_of_a_request_that_is_larger_than_a_keys_share_the_newest_events_are_kept() -> None:
    watching = Watching(keys=100)
    value = b"x" * 3_900
    watching.note(KEY, [("analytics.js", "accepted", value)] * 60)
    share = BUDGET_BYTES // 100
    assert share - len(value) < sum(len(seen.value) for seen in watching.last("website")) <= share
    note(watching, KEY, event(), "accepted", b"{}")
    assert watching.last("website")[-1].value == b"{}"


def test_keys_that_come_by_a_reload_share_the_same_budget() -> None:
    watching = Watching(keys=1)
    for number in range(1000):
        watching.note(WriteKey(f"k{number}"), [("analytics.js", "accepted", b"x" * LONGEST)] * LAST)
    held = sum(len(seen.value) for number in range(1000) for seen in watching.last(f"k{number}"))
    assert BUDGET_BYTES / 2 < held <= BUDGET_BYTES


def test_however_many_keys_there_are_one_event_of_each_can_be_seen() -> None:
    watching = Watching(keys=2 * BUDGET_BYTES // LONGEST)
    note(watching, KEY, event(), "accepted", b"x" * LONGEST)
    assert [len(seen.value) for seen in watching.last("website")] == [LONGEST]


def asked(peer: str | None, **headers: str) -> Request:
    named = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    return Request("GET", "/metrics", b"", named, list(named.items()), peer, 0)


TYPED = asked("127.0.0.1", host="127.0.0.1:8080", sec_fetch_site="none")


@pytest.mark.parametrize(
    "request_",
    [asked("127.0.0.1", host="127.0.0.1:8080"), asked("::1", host="[::1]:8080"), asked("127.0.0.1", host="localhost"), TYPED],
)
def test_without_a_token_this_machine_may_look(request_: Request) -> None:
    signin.check(Settings(), request_)


@pytest.mark.parametrize(
    "request_",
    [
        asked("203.0.113.9", host="127.0.0.1"),
        asked("127.0.0.1", host="evil.example"),  # DNS rebinding
        asked("127.0.0.1", host="localhost", x_forwarded_for="203.0.113.9"),
        asked("127.0.0.1", host="localhost", forwarded="for=203.0.113.9"),
        asked(None, host="localhost"),
        asked("127.0.0.1"),
        asked("127.0.0.1", host="127.0.0.1:8080", via="1.1 proxy"),
        asked("127.0.0.1", host="127.0.0.1:8080", origin="https://evil.example", sec_fetch_site="cross-site"),
        asked("127.0.0.1", host="127.0.0.1:8080", origin="null"),
        asked("127.0.0.1", host="127.0.0.1:8080", sec_fetch_site="cross-site"),  # a script, or an image
        asked("127.0.0.1", host="127.0.0.1:8080", sec_fetch_site="same-site"),  # another port of this machine
    ],
)
def test_without_a_token_nobody_else_may_look(request_: Request) -> None:
    with pytest.raises(Refused) as refused:
        signin.check(Settings(), request_)
    assert refused.value.status == 404


def test_a_proxy_on_this_machine_that_names_itself_this_machine_is_not_it() -> None:
    settings = Settings(trusted_proxies=("127.0.0.1",))
    with pytest.raises(Refused):
        signin.check(settings, asked("127.0.0.1", host="127.0.0.1:8080"))  # nginx with proxy_pass and nothing more
    signin.check(settings, asked("::1", host="[::1]:8080"))


async def test_no_page_reads_what_visitors_sent_from_the_browser_of_whoever_runs_the_collector() -> None:
    collecting = Collecting(Settings(web_token="s3cret"))
    await collecting.post("/v1/page", {"anonymousId": "9f2c"}, origin="https://evil.example")
    for path in ("/v1/debug/any", "/metrics"):
        answer = await collecting.get(path, origin="https://evil.example", authorization="Bearer s3cret")
        assert answer.status == 200
        assert not [name for name in answer.headers if name.startswith("access-control")]


async def ask(collecting: Collecting, name: str, token: str = SECRET) -> Answered:
    return await collecting.get(f"/v1/debug/{name}", authorization=f"Bearer {token}")


async def test_without_a_file_of_keys_events_are_any_ones_and_who_asks_otherwise_is_told_so() -> None:
    collecting = Collecting(Settings(web_token="s3cret"))
    await collecting.post("/v1/page?writeKey=web-4f1c", {"anonymousId": "9f2c"})
    shown, unknown = await ask(collecting, "any"), await ask(collecting, "web-4f1c")
    assert [seen["event"]["anonymousId"] for seen in shown.document["events"]] == ["9f2c"]
    assert unknown.status == 404
    assert unknown.document["error"] == "no write key is called 'web-4f1c': ask by its name: any"
    assert not [name for name in unknown.headers if name.startswith("access-control")]


async def test_a_key_that_is_known_by_another_name_is_no_key_without_events(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    path.write_text("[keys.web-4f1c]\nname = 'website'\n[keys.mail]\n")
    collecting = Collecting(Settings(web_token="s3cret", write_keys=path))
    assert (await ask(collecting, "mail")).document == {"key": "mail", "events": []}
    unknown = await ask(collecting, "web-4f1c")
    assert unknown.document["error"] == "no write key is called 'web-4f1c': ask by its name: mail, website"
    assert (await ask(collecting, "web-4f1c", "guessed")).status == 401
    assert "website" not in (await ask(collecting, "web-4f1c", "guessed")).body.decode()


async def test_what_came_under_a_key_is_shown_also_when_the_key_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    path.write_text("[keys.leaked]\n")
    collecting = Collecting(Settings(web_token="s3cret", write_keys=path))
    await collecting.post("/v1/page?writeKey=leaked", {"anonymousId": "9f2c"})
    path.write_text("".join(f"[keys.k{number:03}]\n" for number in range(60)))
    assert collecting.gate.keys.reload()
    assert len((await ask(collecting, "leaked")).document["events"]) == 1
    assert (await ask(collecting, "k")).document["error"].endswith(", k048, k049 and 11 more")


def test_with_a_token_whoever_has_it_may_look_and_nobody_else() -> None:
    settings = Settings(web_token="s3cret")
    signin.check(settings, asked("203.0.113.9", authorization="Bearer s3cret"))
    for told in ({}, {"authorization": "Bearer s3cre"}, {"authorization": "Basic s3cret"}, {"authorization": "Bearer é"}):
        with pytest.raises(Refused) as refused:
            signin.check(settings, asked("127.0.0.1", host="localhost", **told))
        assert refused.value.status == 401


async def test_an_event_nested_as_deep_as_can_be_written_does_not_keep_the_others_from_being_shown() -> None:
    collecting = Collecting(Settings(web_token="s3cret"))
    for depth in (10, 251, 252):
        nested = b'{"anonymousId":"9f2c","messageId":"%d","properties":' % depth + b'{"a":' * depth + b"1" + b"}" * depth + b"}"
        assert (await collecting.post("/v1/page", nested)).status == 200
    shown = await ask(collecting, "any")
    assert shown.status == 200
    assert shown.body.count(b'"messageId":"') == 3
