"""By which ruleset a partition of `events` is judged once it was adopted."""

from typing import Any

import pytest
from faust.types import TP

from stream.cli.lost_rulesets import Turn, holding, judged_by
from stream.domain import editions
from stream.domain.editions import Edition, Editions
from stream.domain.head import EPOCH_BITS
from stream.domain.ruleset.load import load
from stream.ops.survey import Looked
from stream.runtime.resume import Found, Mark

OLD, NEW = b'[ruleset]\nid = "old"\n', b'[ruleset]\nid = "new"\n'
FIRST, SECOND = Edition(0, 0, OLD), Edition(9, 700, NEW)
NEWEST = Edition(9, 1_700_000_000_000, NEW)
"""As people have it, whose editions hold since an instant."""


@pytest.mark.parametrize(
    ("row", "newest", "held"),
    [
        pytest.param(None, NEWEST, [Edition(9, 500, NEW)], id="its row is lost: from where it goes on"),
        pytest.param([FIRST], NEWEST, [FIRST, Edition(9, 500, NEW)], id="its row is behind: the switch was lost unread"),
        pytest.param([Edition(3, 600, OLD)], NEWEST, [Edition(3, 600, OLD), Edition(9, 600, NEW)], id="never before another"),
        pytest.param([FIRST, SECOND], NEWEST, [FIRST, SECOND], id="its row knows it: from where it was"),
        pytest.param([SECOND], Edition(4, 0, OLD), [SECOND], id="its row knows more than people have written"),
        pytest.param([FIRST], None, [FIRST], id="people are lost: what it knows"),
        pytest.param(None, None, None, id="nobody knows one: the worker's own"),
    ],
)
def test_a_partition_goes_on_with_the_ruleset_in_force(row: Any, newest: Edition | None, held: list[Edition] | None) -> None:
    found = holding(None if row is None else editions.row(Editions(row)), newest, 500)

    assert found == (None if held is None else Editions(held))


def test_its_mark_says_so_before_anything_comes() -> None:
    looked = Looked(Found(TP("events", 3), 100, None, None, None, 0, 500, 8, 40), TP("visitors-changelog", 3))
    turn = Turn(looked, 7, Mark(rules="?", place=2, epoch=1, turn=4))

    assert turn.begins_at == (1 << EPOCH_BITS) + 7
    assert judged_by(turn, Editions([FIRST, SECOND])).mark == Mark(rules=load(NEW).hash, place=9, epoch=1, turn=4)
    assert judged_by(turn, None).mark == Mark(epoch=1, turn=4)
