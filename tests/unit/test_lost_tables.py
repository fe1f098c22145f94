"""Which tables of accounts are made anew, and behind which number."""

from dataclasses import replace
from typing import Any

import pytest
from faust.types import TP

from stream.cli.lost_tables import is_torn
from stream.ops.survey import Looked
from stream.runtime.misfits import CHANGELOG_CUT, CHANGELOG_LOST, DELETED, RECREATED, misfit
from stream.runtime.resume import Found, Mark

VALUES: dict[str, Any] = dict.fromkeys(("where", "end", "said", "first", "position", "lost"), 0)


@pytest.mark.parametrize(
    ("kinds", "state_at", "torn"),
    [
        pytest.param([CHANGELOG_LOST], None, True, id="all rows are gone"),
        pytest.param([CHANGELOG_LOST], 40, False, id="the newest batches are gone: it goes on where the others end"),
        pytest.param([CHANGELOG_LOST], 41, True, id="what is behind the newest mark may lack what was before it"),
        pytest.param([CHANGELOG_CUT], 40, True, id="the oldest rows are gone: half a table is none"),
        pytest.param([RECREATED], 40, False, id="members were recreated: the table is whole"),
        pytest.param([DELETED], None, False, id="nothing of it is missing"),
    ],
)
def test_a_table_that_cannot_go_on_is_made_anew(kinds: list[str], state_at: int | None, *, torn: bool) -> None:
    found = Found(TP("members", 0), 100, None, (40, Mark()), state_at, 0, 500, 8, 40)
    assert is_torn(Looked(found, TP("accounts-changelog", 0), [misfit(kind, **VALUES) for kind in kinds])) is torn


def test_an_epoch_counts_in_a_mark_as_it_does_in_rows() -> None:
    later = Found(TP("members", 0), 100, None, (40, Mark(epoch=1)), 1 << 48 | 40, 0, 500, 8, 40)
    looked = Looked(later, TP("accounts-changelog", 0), [misfit(CHANGELOG_LOST, **VALUES)])
    assert not is_torn(looked)
    assert is_torn(replace(looked, found=replace(later, stored=None)))
