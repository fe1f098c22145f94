"""What was decided about an operator's word: kept for a while, told by any worker, waited for by the command."""

import asyncio
from typing import Any

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer, unused_port

from stream.cli import words as saying
from stream.domain import words
from stream.domain.log import Linking
from stream.domain.ownrows import LogRow
from stream.errors import NegativeAnswerError, UsageError
from stream.settings import Settings
from stream.web import client
from stream.web.peers import HOP
from stream.web.service import Web
from tests.told import copied
from tests.unit.standing_worker import StandingWorker

WORD = "0" * 32


def test_the_newest_words_are_known_with_what_was_decided() -> None:
    log = LogRow()
    for n in range(words.KEPT + 2):
        words.decide(log, str(n), "done so", done=n % 2 == 0, lead=f"lead_{n}")

    assert [word for word in map(str, range(words.KEPT + 2)) if not words.is_decided(log, word)] == ["0", "1"]
    assert words.told(log, "0") is None
    assert orjson.loads(words.told(log, "3") or "") == {"done": False, "text": "done so", "lead": "lead_3"}
    assert copied(log) == log


def decided(**options: Any) -> StandingWorker:
    worker = StandingWorker(**options)
    words.decide(worker.fold.log, WORD, "they are one", lead="lead_1")
    return worker


async def test_a_worker_that_holds_the_people_tells_what_was_decided() -> None:
    async with TestClient(TestServer(Web(decided()).application())) as browser:
        async with browser.get(f"/internal/words/{WORD}") as answer:
            assert (answer.status, await answer.json()) == (200, {"done": True, "text": "they are one", "lead": "lead_1"})
        async with browser.get("/internal/words/unknown") as answer:
            assert answer.status == 404
            assert "unknown" in (await answer.json())["error"]


async def test_another_worker_asks_the_one_that_holds_them_and_is_not_asked_itself() -> None:
    ports = unused_port(), unused_port()
    given = {f"http://127.0.0.1:{ports[0]}": {"people": [0]}, f"http://127.0.0.1:{ports[1]}": {"events": range(4)}}
    pages = [Web(decided(assignment=given, web_port=port)) for port in ports]
    runners = [web.AppRunner(page.application()) for page in pages]
    for runner, port in zip(runners, ports, strict=True):
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
    settings = Settings(web_port=ports[1])
    try:
        async with TestClient(TestServer(pages[1].application())) as browser:
            async with browser.get(f"/internal/words/{WORD}") as answer:
                assert (await answer.json())["text"] == "they are one"
            async with browser.get("/internal/words/unknown") as answer:
                assert answer.status == 404
            async with browser.get(f"/internal/words/{WORD}", headers={HOP: "1"}) as answer:
                assert answer.status == 503
        told = await asyncio.to_thread(client.word_of, settings, WORD, None)
        assert told == {"done": True, "text": "they are one", "lead": "lead_1"}
        assert await asyncio.to_thread(client.word_of, settings, "unknown", None) is None
    finally:
        for page, runner in zip(pages, runners, strict=True):
            await runner.cleanup()
            await page.on_stop()


async def test_who_asks_without_the_workers_token_is_told_to_set_it() -> None:
    port = unused_port()
    runner = web.AppRunner(Web(decided(web_port=port, web_token="t" * 32)).application())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        with pytest.raises(UsageError, match="LEADSTREAM_WEB_TOKEN"):
            await asyncio.to_thread(client.word_of, Settings(web_port=port), WORD, None)
    finally:
        await runner.cleanup()


def test_a_command_says_its_word_and_returns_what_was_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[Any] = []

    async def append(_: Settings, record: Any, __: float) -> int:
        said.append(record)
        return 7

    answers = iter([None, None, {"done": True, "text": "they are one"}])
    monkeypatch.setattr(saying, "_append", append)
    monkeypatch.setattr(saying, "AGAIN_S", 0.0)
    monkeypatch.setattr(client, "word_of", lambda *_: next(answers))
    word = saying.new_word()
    record = Linking(word, "user::1", "user::2")

    assert saying.say(Settings(), record, word) == {"done": True, "text": "they are one"}
    assert said == [record]


def test_nothing_is_said_where_nobody_could_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async def append(*_: Any) -> int:
        raise AssertionError

    monkeypatch.setattr(saying, "_append", append)
    with pytest.raises(UsageError, match="no address"):
        saying.say(Settings(), Linking(WORD, "user::1", "user::2"), WORD, url="nowhere")


def test_a_word_that_nobody_decides_is_in_the_log_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    async def append(*_: Any) -> int:
        return 7

    monkeypatch.setattr(saying, "_append", append)
    with pytest.raises(NegativeAnswerError, match=r"offset 7 of people.*no worker answers"):
        saying.say(Settings(web_port=1), Linking(WORD, "user::1", "user::2"), WORD, patience_s=0.0)


def test_what_it_took_to_say_a_word_is_part_of_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock:
        now = 0.0

        def monotonic(self) -> float:
            return self.now

        def sleep(self, seconds: float) -> None:
            self.now += seconds

    async def append(_: Settings, __: Any, patience_s: float) -> int:
        clock.sleep(patience_s - 1)
        return 7

    clock = Clock()
    monkeypatch.setattr(saying, "_append", append)
    monkeypatch.setattr(saying, "time", clock)
    monkeypatch.setattr(client, "word_of", lambda *_: None)
    with pytest.raises(NegativeAnswerError, match="not decided after 20 s"):
        saying.say(Settings(), Linking(WORD, "user::1", "user::2"), WORD, patience_s=20.0)
    assert clock.now < 21
