"""What a worker answers over HTTP for what it holds itself."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp.test_utils import TestClient, TestServer

from schemas.documents import LeadDocument, LeadPage, Problem, Visitor
from stream.domain import instants
from stream.domain.ids import lead_id
from stream.web.service import Web
from tests.unit.standing_worker import DAY, START, StandingWorker, buyer, line, merged

LEAD, OTHER = lead_id("user::42"), lead_id("user::99")
Client = TestClient[Any, Any]


@pytest.fixture
def worker() -> StandingWorker:
    return StandingWorker(buyer())


@pytest.fixture
async def client(worker: StandingWorker) -> AsyncIterator[Client]:
    async with TestClient(TestServer(Web(worker).application())) as client:
        yield client


async def get(client: Client, path: str, status: int = 200) -> Any:
    async with client.get(path) as answer:
        assert answer.status == status, await answer.text()
        assert answer.content_type == "application/json"
        return await answer.json()


async def test_a_visitor_answers_with_all_members_of_the_contract(client: Client) -> None:
    document = await get(client, "/v1/visitors/anon::9f2c")
    Visitor.model_validate(document)
    assert document["id"] == "anon::9f2c"
    assert document["lead"] == LEAD
    assert document["firstSeen"] == document["lastSeen"] == instants.write(START)
    assert document["asOf"] == instants.write(START + DAY), "the wake that came with user::42"
    assert sum(row["points"] for row in document["explain"]) == pytest.approx(document["interest"], abs=1e-6)


async def test_the_visitor_of_a_shared_device_belongs_to_nobody() -> None:
    page = {"type": "page", "context": {"page": {"url": "https://x.example/"}}}
    worker = StandingWorker([*buyer(), line(4.5, anonymousId="kiosk", **page)])
    async with TestClient(TestServer(Web(worker).application())) as client:
        assert (await get(client, "/v1/visitors/anon::kiosk"))["lead"] is None
        assert "shared device" in (await get(client, "/v1/leads/anon::kiosk", 404))["error"]


async def test_a_lead_answers_with_all_members_of_the_contract(client: Client) -> None:
    document = await get(client, f"/v1/leads/{LEAD}")
    LeadDocument.model_validate(document)
    assert document["members"] == ["anon::9f2c", "email::buyer@acme.example", "user::42"]
    assert sum(row["points"] for row in document["explain"]) == pytest.approx(document["score"]["total"], abs=1e-6)


@pytest.mark.parametrize(
    "key", ["user::42", "email::buyer@acme.example", "email%3A%3Abuyer%40acme.example", "anon::9f2c", f"lead::{LEAD}"]
)  # fmt: skip
async def test_a_lead_answers_under_any_of_its_identities(client: Client, key: str) -> None:
    assert (await get(client, f"/v1/leads/{key}"))["id"] == LEAD


@pytest.mark.parametrize(
    "key", ["email::BUYER@acme.example", "email::%20Buyer@ACME.example%20", "user_id::42", "crm_lead_id::00Q7"]
)
async def test_an_id_is_found_however_it_is_written(key: str) -> None:
    crm = line(5, type="identify", userId="42", context={"externalIds": [{"type": "crm_lead_id", "id": "00Q7"}]})
    async with TestClient(TestServer(Web(StandingWorker([*buyer(), crm])).application())) as client:
        assert (await get(client, f"/v1/leads/{key}"))["id"] == LEAD
        assert (await get(client, f"/internal/export/people/{key}"))["lead"]["id"] == LEAD


async def test_a_telephone_number_is_found_as_the_worker_reads_it() -> None:
    told = {"context": {"externalIds": [{"type": "mobile", "id": "+49 151 23456789"}]}}
    worker = StandingWorker([line(0, type="identify", **told)], phone_region="DE")
    async with TestClient(TestServer(Web(worker).application())) as client:
        for key in ("mobile::0151%2023456789", "phone::0151-23456789", "phone::%2B4915123456789"):
            assert (await get(client, f"/v1/leads/{key}"))["id"] == lead_id("phone::+4915123456789")
            assert (await get(client, f"/v1/visitors/{key}"))["id"] == "phone::+4915123456789"
            assert (await get(client, f"/internal/lead-of/{key}"))["lead"] == lead_id("phone::+4915123456789")


async def test_a_merged_id_answers_with_the_survivor() -> None:
    async with TestClient(TestServer(Web(StandingWorker(merged())).application())) as client:
        for ended in (lead_id("email::b@acme.example"), f"lead::{lead_id('email::b@acme.example')}", "email::B@acme.example"):
            assert (await get(client, f"/v1/leads/{ended}"))["id"] == LEAD
        assert [lead["id"] for lead in (await get(client, "/v1/leads"))["leads"]] == [LEAD]


@pytest.mark.parametrize("value", ["a/b", "a b", "100%", "ü?&#", "x:y", "..", "a//b"])
async def test_an_id_may_hold_any_character(value: str) -> None:
    worker = StandingWorker([line(0, type="identify", userId=value)])
    async with TestClient(TestServer(Web(worker).application())) as client:
        for kind in ("visitors", "leads"):
            document = await get(client, f"/v1/{kind}/{quote(f'user::{value}', safe='')}")
            assert f"user::{value}" in (document["id"], *document.get("members", ()))


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/v1/visitors/anon::nobody", 404, "no visitor anon::nobody"),
        ("/v1/leads/user::nobody", 404, "no lead user::nobody"),
        ("/v1/leads/lead_0000000000000000", 404, "no lead"),
        ("/v1/visitors/9f2c", 400, "kind:scope:value"),
        (f"/v1/visitors/{LEAD}", 400, "kind:scope:value"),
        ("/v1/leads/42", 400, "kind:scope:value"),
        ("/v1/leads/lead_xyz", 400, "kind:scope:value"),
        ("/v1/visitors/anon::9f2c?at=yesterday", 400, "at: 'yesterday' is no RFC 3339 instant"),
        ("/v1/visitors/anon::9f2c?at=", 400, "is no RFC 3339 instant"),
        ("/v1/visitors/anon::9f2c?at=2026-10-01T00:00:00Z", 400, "before asOf 2026-11-02T10:00:00.000Z"),
        ("/v1/visitors/anon::9f2c?at=0000-01-01T00:00:00Z", 400, "at 0001-01-01T00:00:00.000Z is before asOf"),
        ("/v1/leads/user::42?at=0001-01-01T00:00:00%2B01:00", 400, "before asOf"),
        ("/v1/leads/user::42?at=2026-11-02T00:00:00Z", 400, "before asOf 2026-11-03T10:00:00.000Z"),
        ("/v1/leads?limit=0", 400, "from 1 to 1000"),
        ("/v1/leads?limit=many", 400, "from 1 to 1000"),
        (f"/v1/leads?limit={'9' * 5000}", 400, "from 1 to 1000"),
        ("/v1/leads?after=x", 400, "no lead id"),
        ("/v1/accounts?limit=0", 400, "from 1 to 1000"),
        (f"/v1/accounts?limit={'9' * 5000}", 400, "from 1 to 1000"),
        ("/v1/accounts?after=253402300800000~1~account::acme.example", 400, "no place in the list"),
        (f"/v1/accounts?after={'9' * 5000}~1~account::acme.example", 400, "no place in the list"),
        ("/v1/accounts?now=253402300800000", 400, "no instant"),
        (f"/v1/accounts?now={'9' * 5000}", 400, "no instant"),
        ("/nowhere", 404, "Not Found"),
    ],
)
async def test_what_cannot_be_answered_says_why(client: Client, path: str, status: int, says: str) -> None:
    problem = await get(client, path, status)
    Problem.model_validate(problem)
    assert says in problem["error"]


async def test_only_reading_is_possible(client: Client) -> None:
    async with client.post(f"/v1/leads/{LEAD}") as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "GET,HEAD")
        assert "error" in await answer.json()


async def test_looking_ahead_decays_the_visitor(client: Client) -> None:
    now = await get(client, "/v1/visitors/anon::9f2c?at=2026-11-02T10:00:00Z")
    later = await get(client, "/v1/visitors/anon::9f2c?at=2026-12-01T10:00:00%2B00:00")
    assert later["asOf"] == "2026-12-01T10:00:00.000Z"
    assert 0 < later["interest"] < now["interest"]


async def test_a_visitor_that_only_a_wake_made_is_unknown() -> None:
    worker = StandingWorker([line(0, type="identify", userId="42", anonymousId="never-seen")])
    async with TestClient(TestServer(Web(worker).application())) as client:
        await get(client, "/v1/visitors/anon::never-seen", 404)
        assert (await get(client, "/v1/leads/anon::never-seen"))["id"] == LEAD


def leads(count: int) -> list[bytes]:
    return [line(n / 100, type="identify", userId=f"u{n}") for n in range(count)]


@pytest.mark.parametrize("limit", [1, 7, 24, 25, 26])
async def test_pages_give_every_lead_once_in_order_of_ids(limit: int) -> None:
    async with TestClient(TestServer(Web(StandingWorker(leads(25))).application())) as client:
        ids, after = [], ""
        for _ in range(26):
            page = await get(client, f"/v1/leads?limit={limit}&after={after}")
            LeadPage.model_validate(page)
            ids += [lead["id"] for lead in page["leads"]]
            after = page["next"]
            if after is None:
                break
        assert ids == sorted(lead_id(f"user::u{n}") for n in range(25))


async def test_who_is_there_all_the_time_is_on_one_page_whoever_comes_or_is_merged(
    worker: StandingWorker, client: Client
) -> None:
    told = [f"t{n}@x.example" for n in range(20)]
    mailed = [{"context": {"externalIds": [{"type": "email", "id": address}]}} for address in told]
    for n, who in enumerate(mailed):
        worker.simulation.feed(line(5 + n, type="identify", **who))
    ids: list[str] = []
    after, number = "", 0
    while after is not None:
        page = await get(client, f"/v1/leads?limit=3&after={after}")
        ids += [lead["id"] for lead in page["leads"]]
        after, number = page["next"], number + 1
        worker.simulation.feed(line(30, type="identify", userId=f"came-{number}", traits={"email": told[number]}))
    gone = {lead_id(f"email::{address}") for address in told[1 : number + 1]}
    assert ids == sorted(set(ids))
    assert {lead_id(f"email::{address}") for address in told} - gone <= set(ids)


async def test_leads_are_picked_by_stage_and_route(client: Client) -> None:
    everybody = (await get(client, "/v1/leads"))["leads"]
    assert {lead["stage"]["name"] for lead in everybody} == {"lead", "mql"}
    mql = (await get(client, "/v1/leads?stage=mql"))["leads"]
    assert [lead["id"] for lead in mql] == [LEAD]
    route = mql[0]["route"]
    routed = (await get(client, f"/v1/leads?route={route}"))["leads"]
    assert [lead["id"] for lead in routed] == [lead["id"] for lead in everybody if lead["route"] == route]
    assert (await get(client, "/v1/leads?stage=unheard-of"))["leads"] == []
    left_out = (await get(client, "/v1/leads?stage=&route=&after=&limit="))["leads"]
    assert [lead["id"] for lead in left_out] == [lead["id"] for lead in everybody]


async def test_the_people_may_go_on_while_a_page_is_read(worker: StandingWorker, client: Client) -> None:
    before = await get(client, "/v1/leads")
    worker.tick(START + 500 * DAY)
    after = await get(client, "/v1/leads")
    assert [lead["id"] for lead in before["leads"]] == [lead["id"] for lead in after["leads"]]
    assert {lead["stage"]["name"] for lead in after["leads"]} == {"lead"}


async def test_the_front_page_lists_leads_with_reasons_and_escapes_what_strangers_sent() -> None:
    evil = "<script>alert(1)</script>"
    group = line(0, type="group", userId="42", groupId=evil, traits={"name": evil})
    worker = StandingWorker([line(0, type="identify", userId="42"), group])
    async with TestClient(TestServer(Web(worker).application())) as client, client.get("/") as answer:
        text = await answer.text()
    assert answer.content_type == "text/html"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert LEAD in text
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert "http" not in text.replace("http-equiv", "")
