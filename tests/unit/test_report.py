"""`leadstream report`: what it asks for, what it prints, what it says when there is nothing to ask."""

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import orjson
import pytest
from click.testing import CliRunner, Result

from stream.agents.headers import FORWARDED, INTERNAL
from stream.cli import report_networks
from stream.cli.report import report
from stream.errors import UsageError
from stream.web import paging

RANGES = "network,name,domain,kind,target\n203.0.113.0/28,Acme,acme.example,,tier-1\n203.0.113.16/28,Bolt,bolt.example,,tier-1\n"


def account(domain: str, stage: str, order: int, people: int, anonymous: int) -> dict[str, Any]:
    return {
        "id": f"account::{domain}", "name": domain.partition(".")[0].title(), "domain": domain, "score": 41.7,
        "stage": stage, "stageOrder": order, "people": [f"lead_{n:016x}" for n in range(people)], "anonymous": anonymous,
    }  # fmt: skip


def lead(number: int) -> dict[str, Any]:
    members = [f"email::p{number}@acme.example", f"user::{number}"]
    return {"id": f"lead_{number:016x}", "members": members, "account": {"name": "Acme", "domain": "acme.example"}}


PAGES: dict[str, list[dict[str, Any]]] = {
    "accounts": [account("acme.example", "engaged", 2, 2, 3), account("cog.example", "visitor", 0, 0, 1)],
    "leads": [lead(n) for n in range(1, 5)],
}


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A worker with these documents, one a page; what it was asked."""
    paths: list[str] = []

    def get(_: Any, path: str, url: str | None) -> dict[str, Any]:
        assert url is None
        paths.append(path)
        kind = path.removeprefix("/v1/").partition("?")[0]
        number = len(paths) - 1
        last = number == len(PAGES[kind]) - 1
        return {kind: [PAGES[kind][number]], "next": None if last else f"id {number}"}

    monkeypatch.setattr(paging, "get", get)
    return paths


@pytest.fixture
def ranges(tmp_path: Path) -> str:
    file = tmp_path / "ranges.csv"
    file.write_text(RANGES, "utf-8")
    return str(file)


def call(*words: str) -> Result:
    return CliRunner().invoke(report, words, catch_exceptions=True)


def test_all_pages_are_read(asked: list[str], ranges: str) -> None:
    call("reach", "--ranges", ranges)
    assert asked == ["/v1/accounts?limit=500", "/v1/accounts?limit=500&after=id%200"]


def test_reach_as_a_document(ranges: str) -> None:
    document = orjson.loads(call("reach", "--ranges", ranges, "--json").stdout)
    acme = {"id": "account::acme.example", "name": "Acme", "domain": "acme.example", "stage": "engaged", "score": 41.7}
    assert document["lists"] == [
        {
            "list": "tier-1", "companies": 2, "seen": 1, "anonymous": 0, "withPeople": 1, "stages": {"engaged": 1},
            "accounts": [{**acme, "people": 2, "anonymous": 3}], "unseen": ["Bolt"],
        }
    ]  # fmt: skip
    off = document["offLists"]
    assert (off["seen"], off["anonymous"], off["withPeople"], off["accounts"][0]["id"]) == (1, 1, 0, "account::cog.example")


def test_reach_for_people(ranges: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADSTREAM_COMPANY_RANGES", ranges)
    text = call("reach").stdout
    for told in ("50 %", "1 engaged", "tier-1: Acme (engaged, 42)", "tier-1, not seen: Bolt", "on no list: Cog (visitor, 42)"):
        assert told in text


def test_long_lists_are_cut(ranges: str, tmp_path: Path) -> None:
    rows = "".join(f"198.51.100.{n}/32,Company {n:02},c{n}.example,,tier-2\n" for n in range(12))
    (tmp_path / "ranges.csv").write_text(RANGES + rows, "utf-8")
    assert "Company 09 and 2 more (--json has all)" in " ".join(call("reach", "--ranges", ranges).stdout.split())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("reach",), "set LEADSTREAM_COMPANY_RANGES or --ranges"),
        (("reach", "--ranges", "RANGES", "--column", "segment"), "no company with anything in the column 'segment'"),
        (("reach", "--ranges", "/nonexistent"), "/nonexistent: "),
    ],
)
def test_what_cannot_be_asked_is_told(words: tuple[str, ...], told: str, ranges: str) -> None:
    error = call(*(ranges if word == "RANGES" else word for word in words)).exception
    assert isinstance(error, UsageError)
    assert told in str(error)


def test_networks_need_the_ranges_file_that_the_settings_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADSTREAM_COMPANY_RANGES", "/nonexistent")
    error = call("networks").exception
    assert isinstance(error, UsageError), error
    assert str(error).startswith("/nonexistent: ")


def records() -> list[SimpleNamespace]:
    def record(event: dict[str, Any], *headers: tuple[str, bytes]) -> SimpleNamespace:
        return SimpleNamespace(value=orjson.dumps(event), timestamp=1_700_000_000_000, headers=headers)

    visits = [{"type": "page", "userId": n, "context": {"ip": "203.0.113.9"}} for n in range(1, 5)]
    again = record(visits[0], (FORWARDED, b"1:1"))
    return [*map(record, visits), again, record({}, (INTERNAL, b"ruleset"))]


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> list[SimpleNamespace]:
    """What `events` still holds: these records, without a Kafka."""
    there = records()

    async def read(*_: Any) -> AsyncIterator[SimpleNamespace]:
        for record in there:
            yield record

    class Client:
        async def __aenter__(self) -> Self:
            return self

        async def __aexit__(self, *_: object) -> None:
            pass

        async def list_topics(self) -> list[str]:
            return ["events"]

        async def describe_topics(self, _: list[str]) -> list[dict[str, Any]]:
            return [{"topic": "events", "partitions": [{"partition": 0}]}]

    monkeypatch.setattr(report_networks, "read_to_end", read)
    for name in ("admin_client", "consumer_client"):
        monkeypatch.setattr(report_networks, name, lambda _: Client())
    return there


def test_networks_as_lines_of_the_ranges_file(kept: list[SimpleNamespace]) -> None:
    """What was forwarded counts once, the app's own records never."""
    result = call("networks")
    comment, line = result.stdout.splitlines()[1:]
    assert result.stdout.startswith("network,name,domain,kind\n# 203.0.113.0/24: 4 people with acme.example addresses, 4 events")
    assert comment.endswith("so far nobody's")
    assert line == "203.0.113.0/24,Acme,acme.example,business"
    assert result.stderr == "1 networks proposed; 4 events read, 4 with an address\n"
    assert not call("networks", "--no-header").stdout.startswith("network")


def test_networks_as_a_document(kept: list[SimpleNamespace]) -> None:
    document = orjson.loads(call("networks", "--json").stdout)
    assert (document["events"], document["addresses"]) == (4, 4)
    assert document["networks"] == [
        {
            "network": "203.0.113.0/24", "name": "Acme", "domain": "acme.example", "kind": "business", "people": 4, "others": 0,
            "events": 4, "since": "2023-11-14T22:13:20.000Z", "until": "2023-11-14T22:13:20.000Z", "soFar": None, "also": [],
        }
    ]  # fmt: skip


def test_without_addresses_it_says_why(kept: list[SimpleNamespace]) -> None:
    kept[:] = [SimpleNamespace(value=b'{"type":"page","userId":"1"}', timestamp=1, headers=())]
    assert "0 with an address: with IP_RETENTION=drop no event carries one" in call("networks").stderr
