"""Everything known about a person, from the workers that hold it, and as the command puts it together."""

import asyncio
import json
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer, unused_port
from aiokafka import TopicPartition
from click.testing import CliRunner

from stream.cli import connections
from stream.cli import export as exporting
from stream.errors import NegativeAnswerError, UnreachableError, UsageError
from stream.settings import Settings
from stream.web import client
from stream.web.peers import HOP
from stream.web.service import Web
from tests.unit.standing_kafka import StandingKafka
from tests.unit.standing_worker import StandingWorker, buyer

MAIL = "email::buyer@acme.example"


async def test_people_and_rows_are_told_whole_and_strangers_not_at_all() -> None:
    async with TestClient(TestServer(Web(StandingWorker(buyer())).application())) as browser:
        async with browser.get(f"/internal/export/people/{MAIL}") as answer:
            document = await answer.json()
        assert [one["id"] for one in document["identities"]] == ["user::42", "anon::9f2c", MAIL]
        assert document["lead"]["id"] == document["person"]["id"]
        async with browser.get("/internal/export/visitors/user::42") as answer:
            row = await answer.json()
        assert row["traits"]["email"]["value"] == "buyer@acme.example"
        assert set(row["named"]) == {"anon::9f2c", MAIL}
        for path in ("people/user::nobody", "visitors/user::nobody", "people/anon::kiosk"):
            async with browser.get(f"/internal/export/{path}") as answer:
                assert answer.status == 404
        async with browser.get("/internal/export/people/nonsense") as answer:
            assert answer.status == 400


async def test_another_worker_asks_who_holds_them() -> None:
    ports = unused_port(), unused_port()
    given = {f"http://127.0.0.1:{ports[0]}": {"people": [0], "events": range(4)}, f"http://127.0.0.1:{ports[1]}": {}}
    pages = [Web(StandingWorker(buyer(), assignment=given, web_port=port)) for port in ports]
    runners = [web.AppRunner(page.application()) for page in pages]
    for runner, port in zip(runners, ports, strict=True):
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        async with TestClient(TestServer(pages[1].application())) as browser:
            for path in (f"people/{MAIL}", "visitors/user::42"):
                async with browser.get(f"/internal/export/{path}") as answer:
                    assert answer.status == 200
                async with browser.get(f"/internal/export/{path}", headers={HOP: "1"}) as answer:
                    assert answer.status == 503
        settings = Settings(web_port=ports[1])
        known = await asyncio.to_thread(exporting.known, settings, MAIL, None)
        assert [row["id"] for row in known["visitors"]] == ["user::42", "anon::9f2c"]
        alone = await asyncio.to_thread(exporting.known, settings, "anon::stranger", None)
        assert (alone["person"], [row["id"] for row in alone["visitors"]]) == (None, ["anon::stranger"])
        with pytest.raises(NegativeAnswerError, match="nothing is known"):
            await asyncio.to_thread(exporting.known, settings, "user::nobody", None)
    finally:
        for page, runner in zip(pages, runners, strict=True):
            await runner.cleanup()
            await page.on_stop()


@pytest.mark.parametrize(("status", "error"), [(401, UsageError), (500, UnreachableError)])
def test_who_may_not_ask_or_gets_no_answer_is_told_why(
    monkeypatch: pytest.MonkeyPatch, status: int, error: type[Exception]
) -> None:
    monkeypatch.setattr(client, "_get", lambda *_: (status, {"error": "set a token"}))
    with pytest.raises(error, match="set a token"):
        client.export_of(Settings(), "people", MAIL, None)


def test_a_worker_that_restores_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([(503, {"error": "in a moment"}), (200, {"id": 1})])
    monkeypatch.setattr(client, "_get", lambda *_: next(answers))
    monkeypatch.setattr(client, "AGAIN_S", 0.0)
    assert client.export_of(Settings(), "people", MAIL, None) == {"id": 1}


def test_the_command_adds_what_kafka_still_holds_of_the_person(monkeypatch: pytest.MonkeyPatch) -> None:
    facts: list[tuple[bytes | None, bytes | None]] = [
        (b"lead_1", b'{"sequence": "1"}'), (b"lead_0", b'{"sequence": "2"}'), (b"lead_7", b"{}"), (b"lead_1", None),
    ]  # fmt: skip
    held: dict[str, list[tuple[bytes | None, bytes | None]]] = {
        "stage-changes": facts,
        "events": [(b"user::42", b'{"type": "page"}'), (b"user::7", b"{}")],
        "dead-letters": [(b"user::42", b"\xff"), (None, None)],
    }  # fmt: skip

    async def read_to_end(_: Any, topic: str, partitions: int) -> AsyncIterator[Any]:
        assert partitions == 3, "as many as the topic has, whatever PARTITIONS says"
        for key, value in held[topic]:
            yield SimpleNamespace(key=key, value=value, partition=0, offset=3, timestamp=0)

    class Client:
        async def __aenter__(self) -> Any:
            """Connect to nothing."""
            return StandingKafka({TopicPartition(topic, number): 1 for topic in held for number in range(3)}).admin()

        async def __aexit__(self, *_: object) -> None:
            """Leave nothing."""

    person = {"person": {"id": "lead_1", "previousIds": ["lead_0"]}}
    monkeypatch.setattr(exporting, "known", lambda *_: {"person": person, "visitors": [{"id": "user::42"}]})
    monkeypatch.setattr(connections, "read_to_end", read_to_end)
    for name in ("admin_client", "consumer_client"):
        monkeypatch.setattr(connections, name, lambda _: Client())
    plain, whole = (CliRunner().invoke(exporting.export, ["user::42", *more]).stdout for more in ([], ["--events"]))

    assert [fact["sequence"] for fact in json.loads(plain)["stageChanges"]] == ["1", "2"]
    assert "events" not in json.loads(plain)
    document = json.loads(whole)
    assert [one["value"] for one in document["events"]] == ['{"type": "page"}']
    assert [one["value"] for one in document["deadLetters"]] == ["\\xff"]
