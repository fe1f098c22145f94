"""What a webhook process counts, and who may see it."""

import asyncio
import socket

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client.parser import text_string_to_metric_families

from stream.errors import UsageError
from stream.outbound.meter import Meter
from stream.outbound.pages import answering, application
from stream.outbound.posting import CONNECTIONS, Fact, Failed, Poster
from stream.outbound.target import Guard
from stream.settings import Settings

FACT = Fact("lead_1-0000000001", "application/json", b"{}", at_ms=7_000)


def counted(meter: Meter) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families(meter.exposition().decode())
    return {(sample.name, *sample.labels.values()): sample.value for family in families for sample in family.samples}


async def test_attempts_are_counted_by_their_answer_and_what_is_told_by_how_late_it_was() -> None:
    times = iter([9.0, 9.5, 10.0, 10.1, 11.0, 31.0, 32.0, 32.2])
    meter = Meter(clock=lambda: next(times))
    failures = [Failed("answered 503", status=503), Failed("answered 404", status=404), Failed("no answer within 20 s")]
    answers = iter([*failures, None])

    async def post(_: Fact) -> Failed | None:
        return next(answers)

    metered = meter.metered(post)
    assert [await metered(FACT) for _ in range(4)][-1] is None
    found = counted(meter)
    name = "leadstream_webhook_attempts_total"
    assert {key[1]: value for key, value in found.items() if key[0] == name} == {"2xx": 1, "4xx": 1, "5xx": 1, "none": 1}
    assert found["leadstream_webhook_facts_total",] == 1
    assert found["leadstream_webhook_latency_seconds_bucket", "30.0"] == 1
    assert found["leadstream_webhook_latency_seconds_bucket", "5.0"] == 0
    assert found["leadstream_webhook_latency_seconds_sum",] == pytest.approx(25.2)
    assert found["leadstream_webhook_attempt_seconds_sum",] == pytest.approx(20.8)


async def test_a_receiver_is_not_counted_slow_for_what_waits_behind_others() -> None:
    asked, answering_s = 0, 0.5

    async def receive(_: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        await asyncio.sleep(answering_s)
        return web.Response(status=204)

    receiver, meter, guard = web.Application(), Meter(), Guard(["127.0.0.0/8"])
    receiver.add_routes([web.post("/", receive)])
    async with (
        TestServer(receiver, host="127.0.0.1") as server,
        Poster(guard.check(str(server.make_url("/"))), [bytes(24)], guard, watched=meter.metered) as poster,
    ):
        assert set(await asyncio.gather(*(poster.post(FACT) for _ in range(4 * CONNECTIONS)))) == {None}
    found = counted(meter)
    assert (asked, found["leadstream_webhook_attempt_seconds_count",]) == (4 * CONNECTIONS, 4 * CONNECTIONS)
    assert found["leadstream_webhook_attempt_seconds_sum",] / asked < 2 * answering_s


def test_what_waits_and_what_nobody_took_is_counted() -> None:
    meter = Meter()
    meter.watch(lambda: 7)
    meter.letter()
    found = counted(meter)
    assert (found["leadstream_webhook_waiting",], found["leadstream_webhook_dead_letters_total",]) == (7, 1)
    assert ("process_cpu_seconds_total",) in found


@pytest.mark.parametrize(
    ("settings", "headers", "status"),
    [
        (Settings(), {}, 200),
        (Settings(), {"Host": "evil.example"}, 403),
        (Settings(web_token="s3cret"), {}, 401),
        (Settings(web_token="s3cret"), {"Authorization": "Bearer s3cret"}, 200),
    ],
)
async def test_prometheus_signs_in_as_at_a_worker(settings: Settings, headers: dict[str, str], status: int) -> None:
    async with TestClient(TestServer(application(settings, Meter()))) as client:
        answer = await client.get("/metrics", headers=headers)
        assert answer.status == status
        assert ("leadstream_webhook_attempts_total" in await answer.text()) == (status == 200)
        assert (await client.get("/health/live")).status == 200, "an orchestrator signs in nowhere"


async def test_without_a_port_nothing_listens_and_a_taken_one_is_one_line() -> None:
    async with answering(Settings(), Meter()):
        pass
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=r"LEADSTREAM_WEBHOOK_PORT, on WEB_HOST, is 127\.0\.0\.1"):
            async with answering(Settings(webhook_port=port), Meter()):
                pass
