"""Partitions that go on while others are restored."""

from collections import Counter
from types import SimpleNamespace
from typing import Any, cast

import pytest
from faust.types import TP

from stream.runtime.recovery import BatchRecovery

EVENTS, LOG = [TP("events", n) for n in range(4)], [TP("log", n) for n in range(4)]


class Restoring:
    """A recovery with four changelogs; a rebalance may overtake it while it seeks."""

    _left, _complete, _resume, in_turn = (
        BatchRecovery._left, BatchRecovery._complete, BatchRecovery._resume, BatchRecovery.in_turn,
    )  # fmt: skip
    _life, _is_over = 1, BatchRecovery._is_over

    def __init__(self, left: tuple[int, ...], *, overtaken: bool = False) -> None:
        self.active_tps, self.in_recovery, self._overtaken = set(LOG), True, overtaken
        self.active_highwaters = Counter(dict.fromkeys(LOG, 100_000))
        self.active_offsets = Counter({tp: 100_000 - rest for tp, rest in zip(LOG, left, strict=True)})
        self.resumed: set[TP] = set()
        self.flow: Any = SimpleNamespace(
            consumer=self, assigned=True, life=1, running=set(),
            changelog_of=lambda tp: TP("log", tp.partition) if tp.topic == "events" else None,
        )  # fmt: skip
        self.app = SimpleNamespace(consumer_generation_id=1, should_stop=False)
        self.stored: list[Any] = []

    def need_recovery(self) -> bool:
        return any(self._left(tp) for tp in LOG)  # type: ignore[misc]  # a part of the class

    def assignment(self) -> set[TP]:
        return {*EVENTS, *LOG}

    async def perform_seek(self, ready: set[TP]) -> None:  # noqa: ARG002 - the consumer's
        self.flow.life += self._overtaken
        self._life = self.flow.life  # the next recovery begins

    def resume_partitions(self, ready: set[TP]) -> None:
        self.resumed |= ready

    def _store(self, tp: TP) -> Any:  # noqa: ARG002 - the recovery's
        return SimpleNamespace(load=lambda _, records: self.stored.append(records), at={})

    async def go_on(self, partition: int) -> None:
        await BatchRecovery._go_on(cast("BatchRecovery", self), SimpleNamespace(value=SimpleNamespace(tp=LOG[partition])))


@pytest.mark.parametrize(
    ("left", "goes_on"),
    [
        pytest.param((0, 5, 5, 5), {EVENTS[0]}, id="its rows are here"),
        pytest.param((1, 5, 5, 5), set(), id="a row is missing"),
        pytest.param((0, 0, 5, 5), {EVENTS[0]}, id="another one's batch lets another one go on"),
        pytest.param((0, 0, 0, 0), set(), id="the last ones go on with the end of the recovery"),
    ],
)
async def test_a_partition_goes_on_with_its_own_changelog(left: tuple[int, ...], goes_on: set[TP]) -> None:
    restoring = Restoring(left)
    await restoring.go_on(0)
    assert restoring.flow.running == restoring.resumed == goes_on


async def test_nothing_goes_on_that_a_rebalance_has_taken_away_meanwhile() -> None:
    restoring = Restoring((0, 5, 5, 5), overtaken=True)
    await restoring.go_on(0)
    assert restoring.flow.running == restoring.resumed == set()


async def test_what_a_former_recovery_restored_lets_nothing_go_on_in_the_next_life_of_the_group() -> None:
    restoring = Restoring((0, 5, 5, 5))
    restoring.flow.life += 1  # assigned anew, the next recovery has not begun
    await restoring.go_on(0)
    assert restoring.flow.running == restoring.resumed == set()


@pytest.mark.parametrize(
    ("left", "read"),
    [
        pytest.param((50_000, 0, 20_000, 30_000), {2, 3}, id="two of the long ones, the shortest; who is done no more"),
        pytest.param((50_000, 7, 20_000, 30_000), {1, 2, 3}, id="a short one is no turn of a long one"),
        pytest.param((7, 900, 1_000, 30_000), {0, 1, 2, 3}, id="short ones all at once"),
    ],
)
def test_short_changelogs_are_read_at_once_and_two_others_the_shortest_first(left: tuple[int, ...], read: set[int]) -> None:
    restoring = Restoring(left)
    assert restoring.in_turn({*EVENTS, *LOG}) == {*EVENTS, *(LOG[n] for n in read)}  # type: ignore[misc]  # likewise
    restoring.in_recovery = False
    assert restoring.in_turn({*EVENTS, *LOG}) == {*EVENTS, *LOG}  # type: ignore[misc]  # likewise


def test_what_a_partition_that_goes_on_writes_itself_is_not_loaded_again() -> None:
    restoring = Restoring((0, 5, 5, 5))
    own = SimpleNamespace(tp=LOG[0], start=101, next=102, records=[object()])
    event = SimpleNamespace(value=own, message=SimpleNamespace(generation_id=1))
    BatchRecovery._load(cast("BatchRecovery", restoring), event)
    assert restoring.stored == []
