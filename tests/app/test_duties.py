"""What a worker does beside the agents, without Kafka."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP
from mode import Service

from stream.app import create
from stream.runtime import duties as module
from stream.runtime.duties import Duties
from stream.runtime.work import Part
from stream.settings import Settings

WITHIN_S = 2.0
"""So soon after an event its account's row must be durable."""


class Flow:
    """Notes what is written by itself."""

    running: frozenset[Any] = frozenset()

    def __init__(self) -> None:
        self.watchdog, self.checkpoint, self.assigned = Service(), self, True
        self.app, self.lock, self.should_stop = self, asyncio.Lock(), False
        self.written: list[str] = []
        self.heard = asyncio.Event()

    async def write(self, parts: Any) -> bool:
        self.written += parts()
        self.heard.set()
        return True


async def beside(flow: Flow, soon: Sequence[Any]) -> Duties:
    duties = Duties(flow, "events", lambda _tp, _until: None, soon=lambda: soon)  # type: ignore[arg-type]  # as much as is used
    await duties.start()
    return duties


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SOON_S", 0.001)


async def test_what_is_wanted_soon_is_written_without_waiting_for_the_next_checkpoint() -> None:
    flow, soon = Flow(), list[Part | str](["accounts-3"])
    duties = await beside(flow, soon)
    async with asyncio.timeout(10):
        await flow.heard.wait()
    await duties.stop()

    assert set(flow.written) == {"accounts-3"}


def test_it_is_the_rows_of_accounts_that_a_worker_wants_soon() -> None:
    app = create(Settings(app="soon"))
    unchanged, changed = (SimpleNamespace(has_changed=has) for has in (False, True))
    accounts: Any = app.leadstream.accounts_log
    accounts.table.parts |= {0: unchanged, 3: changed}

    assert app.duties._soon() == [changed]


async def test_it_is_looked_for_often_enough_to_be_there_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    waited: list[float] = []

    class Hasty(Duties):
        async def sleep(self, n: Any, **_: Any) -> None:
            waited.append(n)
            await asyncio.sleep(0)

    flow, soon = Flow(), list[Any](["accounts-3"])
    duties: Any = Hasty(flow, "events", lambda _tp, _until: None, soon=lambda: soon)  # type: ignore[arg-type]  # as much as is used
    looking = asyncio.ensure_future(duties._writes_soon.fun(duties))
    async with asyncio.timeout(10):
        await flow.heard.wait()
    looking.cancel()

    assert 0 < max(waited) <= WITHIN_S / 8


async def test_ticks_are_made_at_least_twice_a_second() -> None:
    waited: list[float] = []
    ticked = asyncio.Event()

    class Hasty(Duties):
        async def sleep(self, n: Any, **_: Any) -> None:
            waited.append(n)
            await asyncio.sleep(0)

    flow: Any = Flow()
    flow.running, flow.progress = {TP("events", 3)}, {TP("events", 3): SimpleNamespace(until=lambda _now: 7)}
    duties: Any = Hasty(flow, "events", lambda _tp, _until: ticked.set(), soon=list)
    ticking = asyncio.ensure_future(duties._ticks.fun(duties))
    async with asyncio.timeout(10):
        await ticked.wait()
    ticking.cancel()

    assert 0 < max(waited) <= 0.5


def _revoke(flow: Flow) -> None:
    flow.assigned = False


def _stop(flow: Flow) -> None:
    flow.should_stop = True


async def _write(flow: Flow) -> None:
    await flow.lock.acquire()


@pytest.mark.parametrize("begins", [_revoke, _stop, _write])
async def test_nothing_is_written_soon_while_something_else_is_first_or_nothing_changed(begins: Any) -> None:
    flow, asked = Flow(), list[int]()
    begun = begins(flow)
    if begun is not None:
        await begun
    duties = await beside(flow, ["accounts-3"])
    other, none = Flow(), _Counting(asked)
    idle = await beside(other, none)
    async with asyncio.timeout(10):
        while len(asked) < 5:  # noqa: ASYNC110 - what is tested sets no event
            await asyncio.sleep(0.001)
    await duties.stop()
    await idle.stop()

    assert flow.written == other.written == []


class _Counting(list[str]):
    """Nothing, and how often it was looked at."""

    def __init__(self, asked: list[int]) -> None:
        super().__init__()
        self._asked = asked

    def __bool__(self) -> bool:
        self._asked.append(1)
        return False
