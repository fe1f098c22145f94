"""Access logs: each line becomes the event of the contract, or none."""

import hashlib
import time
from typing import Any

import pytest

from stream.accesslog import device, parse

AGENT = "Mozilla/5.0 (X11)"


def _line(request: str = "GET /p HTTP/1.1", status: str = "200", size: str = "12", referrer: str = "-",
          agent: str = AGENT, time: str = "22/Nov/2026:10:00:00 +0000", host: str = "192.0.2.7") -> str:  # fmt: skip
    return f'{host} - - [{time}] "{request}" {status} {size} "{referrer}" "{agent}"'


def _event(line: str) -> dict[str, Any]:
    event = parse(line, "digest:1")
    assert event is not None
    return event


def test_a_successful_get_is_a_page() -> None:
    assert _event(_line("GET /products/pump?utm=a&b HTTP/1.1", referrer="https://search.example/?q=pump")) == {
        "messageId": "digest:1",
        "type": "page",
        "anonymousId": hashlib.sha256(b"192.0.2.7\n" + AGENT.encode()).hexdigest()[:16],
        "context": {
            "ip": "192.0.2.7",
            "userAgent": AGENT,
            "page": {"path": "/products/pump", "search": "?utm=a&b", "referrer": "https://search.example/?q=pump"},
            "library": {"name": "leadstream-send"},
        },
        "properties": {"method": "GET", "status": 200, "bytes": 12},
        "timestamp": "2026-11-22T10:00:00.000Z",
    }


@pytest.mark.parametrize(
    ("request_", "status", "kind"),
    [
        ("GET / HTTP/1.1", "200", "page"),
        ("GET / HTTP/1.1", "204", "page"),
        ("GET / HTTP/1.1", "304", "page"),
        ("GET / HTTP/1.1", "404", "track"),
        ("GET / HTTP/1.1", "500", "track"),
        ("GET / HTTP/1.1", "100", "track"),
        ("HEAD / HTTP/1.1", "200", "track"),
        ("POST /form HTTP/1.1", "200", "track"),
        ("get / HTTP/1.1", "200", "track"),
    ],
)
def test_only_a_get_that_was_answered_is_a_page(request_: str, status: str, kind: str) -> None:
    event = _event(_line(request_, status))

    assert event["type"] == kind
    assert event.get("event") == ("Request" if kind == "track" else None)


def test_what_is_a_dash_is_absent() -> None:
    event = _event(_line(size="-", referrer="-", agent="-"))

    assert event["context"]["page"] == {"path": "/p"}
    assert "userAgent" not in event["context"]
    assert event["properties"] == {"method": "GET", "status": 200}
    assert event["anonymousId"] == device("192.0.2.7", "-")


@pytest.mark.parametrize("request_", ["-", "", r"\x16\x03\x01", "GET", "\\x03 x y", "- x y"])
def test_what_scanners_send_is_a_request_without_a_path(request_: str) -> None:
    event = _event(_line(request_, "400"))

    assert (event["type"], event["context"]["page"], event["properties"]["status"]) == ("track", {}, 400)


def test_a_method_may_have_a_hyphen() -> None:
    for method, path in (("M-SEARCH", "*"), ("VERSION-CONTROL", "/a")):
        event = _event(_line(f"{method} {path} HTTP/1.1"))
        assert (event["properties"]["method"], event["context"]["page"]) == (method, {"path": path})


def test_escaped_quotes_belong_to_the_text() -> None:
    event = _event(_line(r"GET /a\"b HTTP/1.1", agent=r"say \"hi\" \\o/", referrer=r"\"x\""))

    assert event["context"]["page"]["path"] == '/a"b'
    assert event["context"]["userAgent"] == r"say \"hi\" \o/".replace('\\"', '"')
    assert event["context"]["page"]["referrer"] == '"x"'


def test_spaces_in_a_path_and_a_missing_protocol_are_kept() -> None:
    assert _event(_line("GET /a b HTTP/1.0"))["context"]["page"]["path"] == "/a b"
    assert _event(_line("GET /old"))["context"]["page"]["path"] == "/old"


@pytest.mark.parametrize(
    ("time", "instant"),
    [
        ("22/Nov/2026:10:00:00 +0000", "2026-11-22T10:00:00.000Z"),
        ("22/Nov/2026:01:30:00 +0230", "2026-11-21T23:00:00.000Z"),
        ("31/Dec/2026:23:00:00 -0100", "2027-01-01T00:00:00.000Z"),
        ("01/Mar/2024:00:00:00 +0100", "2024-02-29T23:00:00.000Z"),
    ],
)
def test_times_become_utc(time: str, instant: str) -> None:
    assert _event(_line(time=time))["timestamp"] == instant


@pytest.mark.parametrize("time", ["01/Jan/0001:00:00:00 +0100", "31/Dec/9999:23:59:59 -0100"])
def test_a_time_that_utc_does_not_know_makes_no_event(time: str) -> None:
    assert parse(_line(time=time), "digest:1") is None


def test_more_columns_behind_are_no_hindrance() -> None:
    assert _event(_line() + ' "extra" 0.003')["type"] == "page"


def test_a_user_name_and_an_ipv6_address() -> None:
    line = _line(host="2001:db8::1").replace("- - [", "- frank miller [")

    assert _event(line)["context"]["ip"] == "2001:db8::1"


@pytest.mark.parametrize(
    "host", ["example.com:80 192.0.2.7", "[2001:db8::1]:443 192.0.2.7", "192.0.2.9:80 192.0.2.7", "192.0.2.7:51234"]
)
def test_a_line_that_begins_with_a_site_and_its_port_is_none_of_the_format(host: str) -> None:
    assert parse(_line(host=host), "digest:1") is None


@pytest.mark.parametrize("host", ["::1", "::ffff:192.0.2.7", "reader.example.com", "unix:"])
def test_the_reader_of_an_address_or_a_name(host: str) -> None:
    assert _event(_line(host=host))["context"]["ip"] == host


def test_a_bracket_in_a_user_name_is_no_time() -> None:
    assert _event(_line().replace("- - [", "- [admin [", 1))["timestamp"] == "2026-11-22T10:00:00.000Z"


@pytest.mark.parametrize("start", ["", "h - ", _line()[:-1], _line()[:-2]], ids=["bare", "an address", "cut off", "nearly whole"])
@pytest.mark.parametrize(
    "part", ["[", "]", "[]", "[x] ", '[x] "', '[x] "y" 200 12 "', '"', " ", r"\"", "\\", "x", '" "', r'\[x] "\"']
)
def test_a_long_line_that_is_none_is_refused_at_once(start: str, part: str) -> None:
    """Its time grew with the square of its length: 16,000 brackets took three seconds."""
    line = start + part * (200_000 // len(part))
    began = time.process_time()
    assert parse(line, "digest:1") is None or start.startswith("192")
    assert time.process_time() - began < 1.0


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("", id="blank"),
        pytest.param("hello", id="words"),
        pytest.param('192.0.2.7 - - [22/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 12', id="common format"),
        pytest.param(_line()[:-1], id="cut off"),
        pytest.param(_line(time="22/Foo/2026:10:00:00 +0000"), id="no month"),
        pytest.param(_line(time="31/Feb/2026:10:00:00 +0000"), id="no such day"),
        pytest.param(_line(time="22/Nov/2026:10:00:00 +9900"), id="no such offset"),
        pytest.param(_line(time="yesterday"), id="no time"),
        pytest.param(_line(status="OK"), id="no status"),
        pytest.param(_line(size="12k"), id="no size"),
        pytest.param(_line(size="9" * 19), id="no size there can be"),
        pytest.param("{}", id="json"),
    ],
)
def test_what_is_no_line_of_the_format(line: str) -> None:
    assert parse(line, "digest:1") is None
