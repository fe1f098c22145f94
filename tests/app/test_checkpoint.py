"""The order of a checkpoint, and that what goes wrong in it ends the process."""

import asyncio
import re
import time
from collections.abc import Callable, Mapping

import pytest
from faust.types import TP

from stream.runtime import checkpoint as module
from stream.runtime import deadline as deadlines
from stream.runtime.checkpoint import Checkpoint
from stream.runtime.deadline import Deadline
from stream.runtime.work import Position, Work

EVENTS, CHANGELOG = TP("events", 0), TP("changelog", 0)


class Died(BaseException):
    """The process would have ended."""


@pytest.fixture(autouse=True)
def _no_exit(monkeypatch: pytest.MonkeyPatch) -> None:
    def die(cause: BaseException) -> None:
        raise Died(str(cause) or type(cause).__name__)

    monkeypatch.setattr(module, "die", die)


class Part:
    """A partition that owes one output and one row."""

    backlog = 1

    def __init__(self) -> None:
        self.owes = True
        self.output: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def stands(self, _tp: TP, _at: Position) -> None:
        """Owe nothing by that."""

    def take(self) -> Work:
        self.owes = False
        return Work(CHANGELOG, [self.output], [[(b"k", b"v")]], {EVENTS: Position(7)})


class Kafka:
    """Notes what happens in which order; `failing` names a step that raises."""

    def __init__(self, failing: str = "") -> None:
        self.seen: list[str] = []
        self.failing = failing

    async def reach(self, step: str) -> None:
        self._note(f"reach {step}")

    async def append(self, work: Work) -> None:
        self._note(f"append {work.rows}")

    async def commit(self, positions: Mapping[TP, Position]) -> None:
        self._note(f"commit {[at.next for at in positions.values()]}")

    def done(self, works: list[Work], _seconds: float) -> None:
        self._note(f"done {len(works)}")

    def _note(self, what: str) -> None:
        if what == self.failing:
            raise RuntimeError(what)
        self.seen.append(what)


def made(kafka: Kafka, *parts: Part, deadline: Deadline | None = None) -> Checkpoint:
    return Checkpoint(lambda: parts, kafka.append, kafka.commit, kafka.reach, kafka.done, deadline or Deadline(5.0))


async def test_outputs_are_acknowledged_before_rows_are_sent_and_rows_before_offsets_are_committed() -> None:
    kafka, part = Kafka(), Part()
    running = asyncio.ensure_future(made(kafka, part).run())
    for _ in range(10):
        await asyncio.sleep(0)
    assert kafka.seen == ["reach outputs"]
    part.output.set_result(None)
    assert await running
    assert kafka.seen[1:] == ["reach changelog", "append [[(b'k', b'v')]]", "reach commit", "commit [7]", "reach done", "done 1"]


async def test_some_partitions_are_written_alone_in_the_same_order_and_the_others_still_owe() -> None:
    kafka, soon, other = Kafka(), Part(), Part()
    soon.output.set_result(None)
    assert await made(kafka, soon, other).write(lambda: [soon])
    order = ["reach outputs", "reach changelog", "append [[(b'k', b'v')]]", "reach commit", "commit [7]", "reach done"]
    assert kafka.seen == order
    assert (soon.owes, other.owes) == (False, True)


async def test_nothing_owed_is_no_checkpoint() -> None:
    kafka, part = Kafka(), Part()
    part.owes = False
    assert not await made(kafka, part).run()
    assert kafka.seen == []


@pytest.mark.parametrize("step", ["reach outputs", "reach changelog", "append [[(b'k', b'v')]]", "reach commit", "commit [7]"])
async def test_a_failure_at_any_step_ends_the_process_and_commits_nothing(step: str) -> None:
    kafka, part = Kafka(step), Part()
    part.output.set_result(None)
    with pytest.raises(Died, match=re.escape(step)):
        await made(kafka, part).run()
    assert not any(what.startswith("commit") for what in kafka.seen)


async def test_an_output_that_fails_ends_the_process() -> None:
    kafka, part = Kafka(), Part()
    part.output.set_exception(OSError("refused"))
    with pytest.raises(Died, match="refused"):
        await made(kafka, part).run()


async def test_kafka_that_never_answers_ends_the_process_at_the_deadline() -> None:
    with pytest.raises(Died, match=r"acknowledged nothing for 0\.01 s"):
        await made(Kafka(), Part(), deadline=Deadline(0.01)).run()


async def test_kafka_that_is_slow_but_goes_on_is_waited_for() -> None:
    kafka, part, limit_s = Kafka(), Part(), 0.2
    deadline = Deadline(limit_s)
    began, running = time.monotonic(), asyncio.ensure_future(made(kafka, part, deadline=deadline).run())
    while time.monotonic() < began + 3 * limit_s:
        deadline.goes_on()
        await asyncio.sleep(0.001)
    part.output.set_result(None)
    assert await running


async def test_kafka_that_said_to_wait_is_not_silent_before_that_and_may_be_for_the_limit_behind_it() -> None:
    kafka, part, limit_s = Kafka(), Part(), 0.05
    began = time.monotonic()
    with pytest.raises(Died, match=r"acknowledged nothing for 0\.05 s"):
        await made(kafka, part, deadline=Deadline(limit_s, lambda: began + 0.3)).run()
    assert 0.35 <= time.monotonic() - began < 3


@pytest.mark.parametrize(("long_s", "seen"), [(0.0, 2), (60.0, 0)])
async def test_of_a_checkpoint_that_lasts_long_it_is_seen_that_its_rows_are_written(
    monkeypatch: pytest.MonkeyPatch, long_s: float, seen: int
) -> None:
    """Not of others: where rows are written every second, an agent that stands still must be seen all the same."""
    monkeypatch.setattr(deadlines, "LONG_S", long_s)
    kafka, part, deadline = Kafka(), Part(), Deadline(5.0)
    deadline.wrote()
    running = asyncio.ensure_future(made(kafka, part, deadline=deadline).run())
    await asyncio.sleep(0.01)
    for _ in range(2):
        deadline.wrote()
    deadline.goes_on()
    part.output.set_result(None)
    assert await running
    assert deadline.written == seen


async def test_a_caller_that_is_cancelled_does_not_tear_the_checkpoint() -> None:
    kafka, part = Kafka(), Part()
    checkpoint = made(kafka, part)
    caller = asyncio.ensure_future(checkpoint.run())
    for _ in range(5):
        await asyncio.sleep(0)
    caller.cancel()
    part.output.set_result(None)
    async with asyncio.timeout(5):
        while "done 1" not in kafka.seen:  # noqa: ASYNC110 - what is tested sets no event
            await asyncio.sleep(0)


async def test_two_checkpoints_never_overlap() -> None:
    kafka, first, second = Kafka(), Part(), Part()
    second.owes = False
    checkpoint = made(kafka, first, second)
    both = asyncio.gather(checkpoint.run(), checkpoint.run())
    for _ in range(5):
        await asyncio.sleep(0)
    second.owes = True
    second.output.set_result(None)
    first.output.set_result(None)
    assert list(await both) == [True, True]
    steps: Callable[[str], list[int]] = lambda what: [i for i, seen in enumerate(kafka.seen) if seen.startswith(what)]  # noqa: E731
    assert steps("reach outputs")[1] > steps("done")[0]
