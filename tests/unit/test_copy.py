"""What comes over from another installation, and what stays behind: `make rehearse` does it on a real Kafka."""

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest
from click.testing import CliRunner

from schemas.event import Rejected, decode
from stream.agents.headers import FORWARDED, INTERNAL
from stream.cli.copy import Erasure, as_received, copy, is_erased, is_own
from stream.domain import canary
from stream.errors import UsageError

AT = 1_764_000_000_000


def event(**members: Any) -> bytes:
    return json.dumps({"type": "page", "messageId": "1", **members}).encode()


def record(value: bytes, at: int, partition: int = 0, offset: int = 7) -> Any:
    return SimpleNamespace(value=value, timestamp=at, partition=partition, offset=offset)


def test_an_event_that_says_when_it_was_received_stays_as_it_is() -> None:
    told = event(userId="1", receivedAt="2025-11-20T10:00:00Z")
    assert as_received(told, AT) is told


@pytest.mark.parametrize("value", [None, b"", b"\x00own", b'{"type":"nonsense"}', b"{"])
def test_what_will_be_a_dead_letter_stays_as_it_is(value: bytes | None) -> None:
    assert as_received(value, AT) == value


def test_what_would_be_longer_than_an_event_may_be_or_has_no_readable_time_stays_as_it_is() -> None:
    longest = event(userId="1", properties={"x": ""})
    longest = event(userId="1", properties={"x": "y" * (262_144 - len(longest))})
    assert len(longest) == 262_144
    members = event(userId="1", **{f"m{n}": 1 for n in range(997)})
    for value, at in ((longest, AT), (members, AT), (event(userId="1"), AT * 1000)):
        assert as_received(value, at) == value
        assert not isinstance(decode(value), Rejected)


@pytest.mark.parametrize(
    ("case", "value", "erased"),
    [
        ("before its erasure", event(userId="1"), True),
        ("before it, and received later", event(userId="1", timestamp="2025-11-24T10:00:00Z", messageId="late"), True),
        ("under another identity of the event", event(userId="2", anonymousId="a"), True),
        ("somebody else", event(userId="2", anonymousId="b"), False),
        ("no time that can be read", event(userId="1", timestamp="yesterday"), True),
        ("a dead letter", b"{", False),
    ],
)
def test_what_the_erased_did_before_stays_behind(case: str, value: bytes, *, erased: bool) -> None:
    gone = Erasure(AT + 1, {0: 5})
    assert is_erased(record(value, AT), {"user::1": gone, "anon::a": gone}, None) is erased, case


def test_who_came_back_after_an_erasure_comes_over() -> None:
    assert not is_erased(record(event(userId="1"), AT + 2), {"user::1": Erasure(AT + 1, {0: 5})}, None)


def test_what_was_done_in_the_seconds_before_an_erasure_that_the_peoples_clock_had_not_seen_stays_behind() -> None:
    gone = {"user::1": Erasure(AT - 2_000, {0: 5, 1: 9})}
    told = [(0, 4, True), (0, 6, False), (1, 8, True), (1, 10, False)]
    for partition, offset, erased in told:
        assert is_erased(record(event(userId="1"), AT, partition, offset), gone, None) is erased


def test_an_installation_is_not_copied_into_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADSTREAM_TOPIC_PREFIX", "v2-")
    assert isinstance(CliRunner().invoke(copy, ["--from", "v2-"]).exception, UsageError)


CANARY = json.dumps(canary.event_of("7")).encode()
CANARY_KEY = canary.node_of("7").encode()


@pytest.mark.parametrize(
    ("key", "value", "headers", "own"),
    [
        pytest.param(CANARY_KEY, CANARY, (), True, id="a canary: it comes every 30 s, and a copy would never be at its end"),
        pytest.param(CANARY_KEY, event(anonymousId="leadstream-canary-7"), (), False, id="who only calls himself so"),
        pytest.param(CANARY_KEY, b"{", (), False, id="a dead letter under its key"),
        pytest.param(b"anon::a", CANARY, (), False, id="an echo"),
        pytest.param(None, event(userId="1"), (), False, id="no key"),
        pytest.param(b"\xff", event(userId="1"), (), False, id="a key that is no text"),
        pytest.param(b"user::1", event(userId="1"), ((INTERNAL, b"1"),), True, id="a ruleset"),
        pytest.param(b"user::1", event(userId="1"), ((FORWARDED, b"1:7"),), True, id="what it forwarded"),
    ],
)
def test_the_other_installations_own_records_stay_behind(
    key: bytes | None, value: bytes, headers: tuple[tuple[str, bytes], ...], *, own: bool
) -> None:
    assert is_own(cast("Any", SimpleNamespace(key=key, value=value, headers=headers))) is own
