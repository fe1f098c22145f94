"""The personalisation look-up: a first visit by its address, a known visitor by its cookie, nobody by anything else."""

import asyncio
import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from stream.collector.app import READERS, Collector
from stream.collector.cors import Cors
from stream.collector.limits import Bodies
from stream.collector.pages import Pages
from stream.collector.personalising import AT_ONCE, Personalising, Profiles
from stream.lookups import Lookups
from stream.settings import Settings
from tests.unit.collecting import Collecting

VISITOR = {"id": "anon::9f2c", "lead": "lead_1", "company": None, "tags": [{"tag": f"t{n}", "weight": 9.0 - n} for n in range(9)]}
LEAD = {
    "id": "lead_1",
    "members": ["user::42"],
    "stage": {"name": "mql", "order": 2},
    "journey": "decision",
    "tags": VISITOR["tags"],
}


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for a worker that answers however busy this machine is; who hangs is waited for a moment only."""
    monkeypatch.setattr("stream.collector.personalising.PATIENCE_S", 10.0)


class Worker:
    """Stands in the worker's place; `hangs` never answers."""

    def __init__(self, **documents: Any) -> None:
        self.documents, self.asked, self.hangs, self.fails = documents, list[str](), False, False

    async def ask(self, path: str) -> dict[str, Any] | None:
        self.asked.append(unquote(path))
        if self.hangs:
            await asyncio.Event().wait()
        if self.fails:
            raise OSError("connection refused")
        found: dict[str, Any] | None = self.documents.get("lead" if "/leads/" in path else "visitor")
        return found


@pytest.fixture
def ranges(tmp_path: Path) -> Path:
    path = tmp_path / "ranges.csv"
    path.write_text("network,name,domain,kind,industry\n203.0.113.0/24,Halcyon Oil,halcyon.example,business,petroleum\n")
    return path


def personal(worker: Worker, ranges: Path | None = None, peer: str = "203.0.113.77", keys: Path | None = None) -> Collecting:
    collecting = Collecting(Settings(write_keys=keys), peer=peer)
    names = Lookups(ranges) if ranges else None
    page = Personalising(collecting.gate, names, Profiles(worker.ask)).page
    cors = Cors(collecting.gate.keys)
    pages = Pages({("GET", "/v1/personalise"): page}, READERS)
    collecting.app = Collector(collecting.gate, cors, Bodies(), collecting.outbox, pages)  # type: ignore[arg-type]  # it stands in
    return collecting


async def test_a_first_visit_from_an_oil_companys_range_is_known_at_once(ranges: Path) -> None:
    worker = Worker()
    answer = await personal(worker, ranges).get("/v1/personalise", origin="https://www.acme.example")
    assert (answer.status, answer.document) == (
        200,
        {
            "company": {"name": "Halcyon Oil", "domain": "halcyon.example", "kind": "business", "industry": "petroleum"},
            "tags": [],
            "journey": None,
            "stage": "visitor",
        },
    )
    assert answer.headers["cache-control"] == "private, max-age=30"
    assert answer.headers["access-control-allow-origin"] == "https://www.acme.example"
    assert worker.asked == []


async def test_a_known_visitor_has_its_leads_tags_journey_and_stage_and_no_identity() -> None:
    worker = Worker(visitor=VISITOR, lead=LEAD)
    answer = await personal(worker).get("/v1/personalise?anonymousId=9f2c")
    assert answer.document == {"company": None, "tags": VISITOR["tags"][:5], "journey": "decision", "stage": "mql"}  # type: ignore[index]  # a list
    assert worker.asked == ["/v1/visitors/anon::9f2c", "/v1/leads/anon::9f2c"]
    for secret in ("lead_1", "user::42", "9f2c", "203.0.113"):
        assert secret not in answer.body.decode()


async def test_the_company_of_an_earlier_visit_counts_where_the_address_names_none() -> None:
    known = {
        "name": "Acme",
        "domain": "acme.example",
        "kind": "business",
        "network": "198.51.100.0/24",
        "source": "ranges",
        "size": "9",
    }
    answer = await personal(Worker(visitor=VISITOR | {"lead": None, "company": known})).get("/v1/personalise?anonymousId=9f2c")
    assert answer.document["company"] == {"name": "Acme", "domain": "acme.example", "kind": "business", "size": "9"}
    assert answer.document["stage"] == "visitor"


async def test_a_device_whose_events_all_came_under_a_user_id_has_its_leads_answer() -> None:
    account = {"id": "account::acme.example", "name": "Acme", "domain": "acme.example", "kind": "business", "confidence": 1.0}
    answer = await personal(Worker(lead=LEAD | {"account": account})).get("/v1/personalise?anonymousId=9f2c")
    assert (answer.document["stage"], answer.document["company"]) == (
        "mql",
        {"name": "Acme", "domain": "acme.example", "kind": "business"},
    )


@pytest.mark.parametrize("hangs", [0, 1])
async def test_a_worker_that_is_late_or_away_costs_a_moment_and_no_answer(
    hangs: int, ranges: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream.collector.personalising.PATIENCE_S", 0.01)
    worker = Worker(visitor=VISITOR, lead=LEAD)
    worker.hangs, worker.fails = bool(hangs), not hangs
    collecting = personal(worker, ranges)
    answer = await collecting.get("/v1/personalise?anonymousId=9f2c")
    assert answer.document["company"]["industry"] == "petroleum"
    assert (answer.document["tags"], answer.headers["cache-control"]) == ([], "no-store")


async def test_that_no_worker_can_be_asked_is_said_once_a_minute(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = Worker()
    worker.fails = True
    collecting = personal(worker)
    for told in (1, 1):
        await collecting.get("/v1/personalise?anonymousId=9f2c")
        assert [record.levelname for record in caplog.records] == ["WARNING"] * told
    assert "connection refused" in caplog.text
    assert "LEADSTREAM_WORKER_URL" in caplog.text
    assert "9f2c" not in caplog.text
    monkeypatch.setattr("stream.collector.personalising.TELL_S", 0.0)
    await collecting.get("/v1/personalise?anonymousId=9f2c")
    assert len(caplog.records) == 2


async def test_what_is_known_is_remembered_and_asked_for_once(ranges: Path) -> None:
    worker = Worker(visitor=VISITOR, lead=LEAD)
    collecting = personal(worker, ranges)
    answers = await asyncio.gather(*(collecting.get("/v1/personalise?anonymousId=9f2c") for _ in range(20)))
    assert {json.dumps(answer.document["stage"]) for answer in answers} == {'"mql"'}
    assert len(worker.asked) == 2


async def test_what_has_grown_old_is_not_told_however_late_the_worker_is(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Worker(visitor=VISITOR, lead=LEAD)
    collecting = personal(worker)
    assert (await collecting.get("/v1/personalise?anonymousId=9f2c")).document["stage"] == "mql"
    monkeypatch.setattr("stream.collector.personalising.FRESH_S", 0.0)
    monkeypatch.setattr("stream.collector.personalising.PATIENCE_S", 0.01)
    worker.hangs = True
    for at_once in (0, AT_ONCE):  # not even asked, and asked in vain
        monkeypatch.setattr("stream.collector.personalising.AT_ONCE", at_once)
        answer = await collecting.get("/v1/personalise?anonymousId=9f2c")
        assert (answer.document["stage"], answer.document["tags"], answer.headers["cache-control"]) == ("visitor", [], "no-store")


async def test_a_flood_of_unknown_cookies_never_floods_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.collector.personalising.PATIENCE_S", 0.01)
    worker = Worker()
    worker.hangs = True
    collecting = personal(worker)
    await asyncio.gather(*(collecting.get(f"/v1/personalise?anonymousId=c{number}") for number in range(3 * AT_ONCE)))
    assert len(worker.asked) == 2 * AT_ONCE


@pytest.mark.parametrize("consent", ["assumed", "required", "ignored"])
@pytest.mark.parametrize("header", ["sec_gpc", "dnt"])
async def test_who_does_not_want_to_be_known_is_not(header: str, consent: str, ranges: Path, tmp_path: Path) -> None:
    worker, keys = Worker(visitor=VISITOR, lead=LEAD), tmp_path / "keys.toml"
    keys.write_text(f'[keys.web]\nconsent = "{consent}"\n')
    collecting = personal(worker, ranges, keys=keys)
    answer = await collecting.get("/v1/personalise?writeKey=web&anonymousId=9f2c", **{header: "1"})
    assert answer.document == {"company": None, "tags": [], "journey": None, "stage": "visitor"}
    assert worker.asked == []


@pytest.mark.parametrize("query", ["?email=a@b.example", "?userId=42", "?anonymousId="])
async def test_nobody_is_found_by_what_others_can_guess(query: str) -> None:
    worker = Worker(visitor=VISITOR, lead=LEAD)
    answer = await personal(worker).get(f"/v1/personalise{query}")
    assert (answer.status, answer.document["tags"], worker.asked) == (200, [], [])
    assert (await personal(worker).get("/v1/personalise?anonymousId=undefined")).status == 400


async def test_only_a_page_of_the_keys_is_told_also_where_no_origin_says_which(tmp_path: Path) -> None:
    keys = tmp_path / "keys.toml"
    keys.write_text('[keys.web]\norigins = ["https://www.example.com"]\n[keys.crm]\ntrust = "server"\n')
    collecting = personal(Worker(), keys=keys)
    for key, site, referer, status in (
        ("web", "same-origin", "https://www.example.com/", 200),
        ("web", "cross-site", "https://evil.example/", 403),
        ("crm", "same-origin", "https://www.example.com/", 403),
    ):
        answer = await collecting.get(f"/v1/personalise?writeKey={key}", sec_fetch_site=site, referer=referer)
        assert answer.status == status
    assert (await collecting.get("/v1/personalise?writeKey=crm")).status == 200


async def test_another_path_of_the_workers_cannot_be_reached() -> None:
    worker = Worker(visitor=VISITOR, lead=LEAD)
    await personal(worker).get("/v1/personalise?anonymousId=x%2F..%2F..%2Fleads%3Fstage%3Dmql")
    assert worker.asked[0] == "/v1/visitors/anon::x/../../leads?stage=mql", "one segment, quoted whole"
    for path in ("/v1/visitors/anon::9f2c", "/v1/leads", "/v1/lag", "/internal/lead-of/x"):
        assert (await personal(worker).get(path)).status == 404
