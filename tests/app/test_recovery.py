"""The end of a recovery, where a rebalance may begin meanwhile."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from faust.tables.recovery import RebalanceAgain
from faust.types import TP
from mode import Service

from stream.runtime.recovery import BatchRecovery

EVENTS = TP("events", 0)


class Recovering:
    """A recovery at its end, and a consumer that a rebalance may overtake while it seeks."""

    def __init__(self, *, overtaken: bool) -> None:
        self.resumed: list[str] = []
        self.completed = asyncio.Event()
        self.flow = SimpleNamespace(assigned=True, life=1, running=set(), on_ready=lambda: self.resumed.append("ready"))
        self._overtaken = overtaken
        self.active_offsets: dict[TP, int | None] = {}
        self.known: dict[TP, int] = {}
        self.active_tps, self.tables = set[TP](), SimpleNamespace(values=list, on_actives_ready=int, on_standbys_ready=int)
        self.app = SimpleNamespace(
            consumer=self, consumer_generation_id=1, on_rebalance_complete=SimpleNamespace(send=_nothing), on_rebalance_end=int,
            conf=SimpleNamespace(broker_request_timeout=1), _fetcher=SimpleNamespace(maybe_start=_nothing),
            flow_control=SimpleNamespace(is_active=lambda: False, resume=lambda: self.resumed.append("streams")),
        )  # fmt: skip

    def assignment(self) -> set[TP]:
        return {EVENTS}

    async def perform_seek(self) -> None:
        self.flow.assigned = not self._overtaken

    def resume_flow(self) -> None:
        self.resumed.append("flow")

    def resume_partitions(self, tps: set[TP]) -> None:
        self.resumed += [tp.topic for tp in tps]

    async def _wait(self, awaited: Any, timeout: float) -> None:  # noqa: ARG002, ASYNC109 - Faust's
        await awaited

    def _store(self, tp: TP) -> SimpleNamespace:  # noqa: ARG002 - one is enough here
        return SimpleNamespace(at=self.known)

    def _is_changelog_tp(self, tp: TP) -> bool:  # noqa: ARG002 - Faust's
        return False

    def _set_recovery_ended(self) -> None: ...


async def _nothing() -> None: ...


@pytest.mark.parametrize(("overtaken", "running"), [(False, {EVENTS}), (True, set())])
async def test_nothing_runs_when_partitions_are_being_taken_away_while_it_seeks(*, overtaken: bool, running: set[TP]) -> None:
    recovering = Recovering(overtaken=overtaken)
    await BatchRecovery.on_recovery_completed(cast("BatchRecovery", recovering), 1)
    assert recovering.flow.running == running
    assert recovering.completed.is_set() is not overtaken
    assert recovering.resumed == ([] if overtaken else ["streams", "flow", "events", "ready"])


async def test_nothing_is_known_of_a_changelog_that_a_rebalance_has_just_brought() -> None:
    """Faust notes `None` for it until it is asked where it begins; the end of an older recovery may come in between."""
    recovering = Recovering(overtaken=False)
    brought, read = TP("rows", 0), TP("rows", 1)
    recovering.active_tps, recovering.active_offsets = {brought, read}, {brought: None, read: 7}

    await BatchRecovery.on_recovery_completed(cast("BatchRecovery", recovering), 1)

    assert recovering.known == {read: 7}


class Waiting(BatchRecovery):
    """A recovery that waits for something while a rebalance begins."""

    flow: Any = None
    _life = 1

    def __init__(self) -> None:
        Service.__init__(self)
        self.flow = SimpleNamespace(assigned=True, life=1)

    async def taken_away(self) -> None:
        self.flow.assigned = False


async def test_a_recovery_ends_where_the_group_takes_partitions_away_before_it_lets_anything_flow() -> None:
    recovery = Waiting()
    await recovery._wait(asyncio.sleep(0))

    with pytest.raises(RebalanceAgain):
        await recovery._wait(recovery.taken_away())
    with pytest.raises(RebalanceAgain):
        await recovery._wait(asyncio.sleep(0))
