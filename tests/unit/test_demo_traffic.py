"""The demo's anonymous visitors: the shipped log, other files, and how both are moved in time."""

import gzip
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from stream.cli.demo import demo
from stream.cli.replay import plan
from stream.demo import make_log, traffic
from stream.demo.story import Step
from stream.domain import instants

NOW = 1_795_341_600_000
MADE_FOR_DOCUMENTATION = [ip_network(text) for text in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")]


def step(say: str) -> Step:
    return Step(say, 0, fades=False, event={})


def test_the_shipped_log_is_what_its_script_makes() -> None:
    assert gzip.decompress(make_log.LOG.read_bytes()).decode().splitlines() == make_log.lines()


def test_every_line_of_the_shipped_log_is_an_event_of_an_address_that_is_nobodys() -> None:
    events = traffic.shipped()

    assert len(events) == make_log.LINES
    for event in events:
        address = ip_address(event["context"]["ip"])
        assert any(address in network for network in MADE_FOR_DOCUMENTATION)


def test_a_log_is_moved_so_that_it_ends_now_and_keeps_its_distances() -> None:
    first = {"timestamp": "2020-01-01T00:00:00Z"}
    last = {"timestamp": "2020-01-01T00:00:10Z"}
    move = traffic.ending([last, first], NOW)

    assert move(last) == {"timestamp": instants.write(NOW)}
    assert move(first) == {"timestamp": instants.write(NOW - 10_000)}


@pytest.mark.parametrize("name", ["timestamp", "originalTimestamp", "sentAt", "receivedAt"])
def test_whatever_tells_the_time_becomes_the_timestamp(name: str) -> None:
    event = {name: "2020-01-01T00:00:00Z", "type": "page"}

    assert traffic.ending([event], NOW)(event) == {"type": "page", "timestamp": instants.write(NOW)}


@pytest.mark.parametrize("event", [{}, {"timestamp": "yesterday"}, {"timestamp": 7}])
def test_an_event_without_a_time_happens_when_it_comes(event: traffic.Event) -> None:
    assert traffic.ending([event], NOW)(event) == {}


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_files_are_read_plain_or_packed(pack: type[bytes], tmp_path: Path) -> None:
    path = tmp_path / "events"
    path.write_bytes(pack(b'{"type": "page"}\n\n{"type": "track"}\n'))

    assert traffic.read(path, "ndjson") == [{"type": "page"}, {"type": "track"}]


def test_lines_that_are_no_access_log_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_text("no line\n" + make_log.lines()[0] + "\n")

    (event,) = traffic.read(path, "combined")
    assert event["context"]["ip"] == make_log.lines()[0].split()[0]


def test_events_of_all_of_history_are_moved_as_far_as_there_are_instants() -> None:
    first, last = {"timestamp": "1970-01-01T00:00:00Z"}, {"timestamp": "9999-12-31T23:59:59Z"}
    move = traffic.ending([first, last], NOW)

    assert move(last) == {"timestamp": instants.write(NOW)}
    assert move(first) == {"timestamp": instants.write(0)}


def test_only_a_line_feed_ends_a_line(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    path.write_text('{"type": "a\u2028b\u0085c"}\r\n{"type": "page"}\n', encoding="utf-8", newline="")

    assert traffic.read(path, "ndjson") == [{"type": "a\u2028b\u0085c"}, {"type": "page"}]


@pytest.mark.parametrize(
    "damage", [lambda packed: packed[:-12], lambda packed: packed[:12] + b"\xff" * 20, lambda p: p[:-8] + b"x" * 8]
)
def test_a_packed_file_that_is_cut_off_or_damaged_is_told(damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    path = tmp_path / "events.gz"
    path.write_bytes(damage(gzip.compress(b'{"type": "page"}\n' * 100)))

    with pytest.raises(traffic.UnreadableTraffic, match="it is packed, and damaged or cut off"):
        traffic.read(path, "ndjson")


@pytest.mark.parametrize("rate", ["inf", "nan", "0", "-inf", "many"])
def test_a_rate_is_a_number_of_events(rate: str) -> None:
    done = CliRunner().invoke(demo, ["--rate", rate])
    assert (done.exit_code, "Invalid value for '--rate'" in done.stderr) == (2, True)


@pytest.mark.parametrize(("line", "said"), [("x", "line 2 is no JSON"), ("[]", "line 2 is no JSON object")])
def test_lines_that_are_no_events_are_named(line: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    path.write_text("{}\n" + line + "\n")

    with pytest.raises(traffic.UnreadableTraffic, match=said):
        traffic.read(path, "ndjson")


@pytest.mark.parametrize(
    ("events", "rate", "places"),
    [
        pytest.param(8, 100.0, [2, 5, 8], id="along the whole log"),
        pytest.param(100, 2.0, [3, 7, 11], id="ahead of a long one"),
        pytest.param(1, 100.0, [1, 2, 3], id="what is left at its end"),
    ],
)
def test_the_story_runs_between_the_lines(events: int, rate: float, places: list[int]) -> None:
    planned = list(plan([{"n": n} for n in range(events)], [step("a"), step("b"), step("c")], rate))

    assert [place for place, item in enumerate(planned) if isinstance(item, Step)] == places
    assert [item["n"] for item in planned if not isinstance(item, Step)] == list(range(events))


def test_the_sample_takes_half_a_minute_at_the_rate_that_a_stranger_sees() -> None:
    rate: Any = next(option.default for option in demo.params if option.name == "rate")
    assert len(traffic.shipped()) / rate == 30
