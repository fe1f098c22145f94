"""The end of a recovery, where a rebalance may begin meanwhile."""

import asyncio
from collections import Counter
from types import SimpleNamespace
from typing import Any, cast

import pytest
from faust.tables.recovery import RebalanceAgain, Recovery
from faust.types import TP
from mode import Service

from stream.runtime.fatal import Misfit
from stream.runtime.recovery import BatchRecovery

EVENTS, LOG = TP("events", 0), TP("log", 0)


class Recovering:
    """A recovery at its end, and a consumer that something may overtake while it seeks."""

    _life, _is_over = 1, BatchRecovery._is_over

    def __init__(self, *, overtaken: str = "") -> None:
        self.resumed: list[str] = []
        self.completed = asyncio.Event()
        self.flow = SimpleNamespace(assigned=True, life=1, running=set(), on_ready=lambda: self.resumed.append("ready"))
        self._overtaken = overtaken
        self.active_offsets: dict[TP, int | None] = {}
        self.known: dict[TP, int] = {}
        self.active_tps, self.tables = set[TP](), SimpleNamespace(values=list, on_actives_ready=int, on_standbys_ready=int)
        self.app = SimpleNamespace(
            should_stop=False, consumer=self, consumer_generation_id=1,
            on_rebalance_complete=SimpleNamespace(send=_nothing), on_rebalance_end=int,
            conf=SimpleNamespace(broker_request_timeout=1), _fetcher=SimpleNamespace(maybe_start=_nothing),
            flow_control=SimpleNamespace(is_active=lambda: False, resume=lambda: self.resumed.append("streams")),
        )  # fmt: skip

    def assignment(self) -> set[TP]:
        return {EVENTS}

    async def perform_seek(self) -> None:
        _happen(self._overtaken, self.flow, self.app)

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


async def _nothing(*_: Any) -> None: ...


def _happen(what: str, flow: SimpleNamespace, app: SimpleNamespace) -> None:
    if what == "taken away":
        flow.assigned = False
    elif what == "assigned anew":
        flow.life += 1
    elif what == "stopped":
        app.should_stop = True


OVERTAKEN = ("taken away", "assigned anew", "stopped")


async def test_all_runs_once_all_is_restored() -> None:
    recovering = Recovering()
    await BatchRecovery.on_recovery_completed(cast("BatchRecovery", recovering), 1)
    assert recovering.flow.running == {EVENTS}
    assert recovering.completed.is_set()
    assert recovering.resumed == ["streams", "flow", "events", "ready"]


@pytest.mark.parametrize("overtaken", OVERTAKEN)
async def test_nothing_runs_where_it_is_no_more_ours_once_it_was_sought(overtaken: str) -> None:
    recovering = Recovering(overtaken=overtaken)
    await BatchRecovery.on_recovery_completed(cast("BatchRecovery", recovering), 1)
    assert (recovering.flow.running, recovering.resumed) == (set(), [])
    assert not recovering.completed.is_set()


async def test_nothing_is_known_of_a_changelog_that_a_rebalance_has_just_brought() -> None:
    """Faust notes `None` for it until it is asked where it begins; the end of an older recovery may come in between."""
    recovering = Recovering()
    brought, read = TP("rows", 0), TP("rows", 1)
    recovering.active_tps, recovering.active_offsets = {brought, read}, {brought: None, read: 7}

    await BatchRecovery.on_recovery_completed(cast("BatchRecovery", recovering), 1)

    assert recovering.known == {read: 7}


class Waiting(BatchRecovery):
    """A recovery that waits for something while something else happens."""

    flow: Any = None
    _life = 1

    def __init__(self) -> None:
        Service.__init__(self)
        self.flow, self.app = SimpleNamespace(assigned=True, life=1), cast("Any", SimpleNamespace(should_stop=False))

    async def happen(self, what: str) -> None:
        _happen(what, self.flow, cast("Any", self.app))


@pytest.mark.parametrize("overtaken", OVERTAKEN)
async def test_a_recovery_ends_where_its_partitions_are_no_more_ours_before_it_lets_anything_flow(overtaken: str) -> None:
    recovery = Waiting()
    await recovery._wait(asyncio.sleep(0))

    with pytest.raises(RebalanceAgain):
        await recovery._wait(recovery.happen(overtaken))
    with pytest.raises(RebalanceAgain):
        await recovery._wait(asyncio.sleep(0))


@pytest.mark.parametrize(
    ("ends_at", "title", "asked"),
    [
        pytest.param(-1, "active", [{LOG: 162}], id="it is empty"),
        pytest.param(161, "active", [{LOG: 162}], id="a row is missing"),
        pytest.param(162, "active", [], id="all is there"),
        pytest.param(-1, "standby", [], id="not ours"),
    ],
)
async def test_a_changelog_that_ends_before_what_is_here_is_asked_again_and_then_is_a_loss(
    monkeypatch: pytest.MonkeyPatch, ends_at: int, title: str, asked: list[dict[TP, int]]
) -> None:
    known: list[dict[TP, int]] = []
    died: list[BaseException] = []

    async def require_whole(of: dict[TP, int]) -> None:
        known.append(of)
        raise Misfit("lost")

    monkeypatch.setattr(Recovery, "_build_offsets", _nothing)
    monkeypatch.setattr("stream.runtime.recovery.die", died.append)
    recovery: Any = BatchRecovery.__new__(BatchRecovery)
    recovery.app = SimpleNamespace(flow=SimpleNamespace(changelogs=SimpleNamespace(require_whole=require_whole)))
    recovery.active_highwaters = Counter({LOG: ends_at})
    await recovery._build_offsets(None, {LOG}, Counter({LOG: 162}), title)
    assert (known, [str(cause) for cause in died]) == (asked, ["lost"] * len(asked))
