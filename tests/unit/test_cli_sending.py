"""What commands send: slow under a quota, and each record's answer is heard, also behind a failure."""

import asyncio
import gc
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
from aiokafka.errors import KafkaError, KafkaTimeoutError, RequestTimedOutError

from stream.cli.connections import all_sent, run
from stream.cli.quota import Told, in_turn
from stream.cli.send import Tally, _Outbox
from stream.errors import UnreachableError
from stream.runtime.quota import Quota

NODE = 1


def answered(with_: Exception | int) -> "asyncio.Future[int]":
    future = asyncio.get_running_loop().create_future()
    future.set_exception(with_) if isinstance(with_, Exception) else future.set_result(with_)
    return future


def refusing(times: int, quota: Quota, throttle_ms: int) -> Callable[..., Awaitable[Any]]:
    """Take no record so often; meanwhile a broker answers what came before."""
    left = iter(range(times))

    async def send(*record: Any, **how: Any) -> Any:
        if next(left, None) is None:
            return record, how
        quota.heard(NODE, throttle_ms, "mine")
        raise KafkaTimeoutError

    return send


async def test_a_record_that_a_quota_keeps_from_its_turn_is_put_again() -> None:
    quota = Quota()
    send = in_turn(refusing(2, quota, throttle_ms=1), quota)
    assert await send("events", b"{}", key=b"k") == (("events", b"{}"), {"key": b"k"})


async def test_where_no_quota_makes_it_wait_a_record_that_is_not_taken_is_a_failure() -> None:
    quota = Quota()
    with pytest.raises(KafkaTimeoutError):
        await in_turn(refusing(1, quota, throttle_ms=0), quota)("events", b"{}")


def test_a_long_wait_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    quota = Told()
    for throttle_ms in (0, 900, 58_000, 20_000):
        quota.heard(NODE, throttle_ms, "mine")
    assert capsys.readouterr().err == "a Kafka quota makes this wait 58 s, and again: docs/limits.md\n"


@pytest.mark.parametrize("taken", [True, False])
async def test_nobody_is_left_unheard_behind_a_failure(*, taken: bool) -> None:
    shouted: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: shouted.append(context["message"]))

    async def put(answer: Exception | int) -> Any:
        if not taken and answer == 2:
            raise KafkaTimeoutError
        return answered(answer)

    async def send() -> None:
        await asyncio.gather(*await all_sent(put(one) for one in (RequestTimedOutError(), RequestTimedOutError(), 2)))

    with pytest.raises(KafkaError) as failed:
        await send()
    assert isinstance(failed.value, RequestTimedOutError if taken else KafkaTimeoutError)
    del failed
    gc.collect()
    await asyncio.sleep(0)
    assert shouted == []


class Kafka:
    """Answers later, record by record."""

    def __init__(self, answers: list[Exception | int]) -> None:
        self._answers = iter(answers)

    async def send(self, *_: Any, **__: Any) -> "asyncio.Future[int]":
        return asyncio.ensure_future(self._answer(next(self._answers)))

    async def _answer(self, answer: Exception | int) -> int:
        return await answered(answer)


async def test_what_is_acknowledged_behind_a_failure_is_counted() -> None:
    answers: list[Exception | int] = [RequestTimedOutError(), 1, RequestTimedOutError(), 3]
    tally = Tally()
    outbox = _Outbox(cast("Any", Kafka(answers)), "events", [], tally)
    for number in range(len(answers)):
        await outbox.put(None, b"{}", f"f:{number}")
    with pytest.raises(RequestTimedOutError):
        await outbox.settle()
    assert tally.acknowledged == 2


def test_a_failure_says_how_far_the_work_came() -> None:
    async def failing() -> None:
        raise RequestTimedOutError

    with pytest.raises(UnreachableError, match="RequestTimedOutError: 5 events are acknowledged; the same files may be"):
        run(failing(), Tally(acknowledged=5).way_on)
