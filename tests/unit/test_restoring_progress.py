"""How far a recovery is, in numbers and in a line."""

from stream.runtime.restoring import Restoring


class Clock:
    """Stands still unless it is moved."""

    now = 10.0

    def __call__(self) -> float:
        return self.now


def test_nothing_is_foretold_before_the_first_rows() -> None:
    one = Restoring(200, lambda: 200, Clock())
    assert one.document() == {
        "done": 0, "total": 200, "rows": 0, "percent": 0.0, "rowsPerSecond": 0, "secondsLeft": None,
    }  # fmt: skip
    assert one.line() == "restoring [....................] 0 %, 0 rows, 0 rows/s, waiting for the first"


def test_the_rest_is_foretold_from_the_pace_by_positions_where_rows_were_compacted() -> None:
    clock, left = Clock(), [200]
    one = Restoring(200, lambda: left[0], clock)
    clock.now, left[0], one.rows = 13.0, 50, 90
    assert one.document() == {
        "done": 150, "total": 200, "rows": 90, "percent": 75.0, "rowsPerSecond": 30, "secondsLeft": 1.0,
    }  # fmt: skip
    assert one.line() == "restoring [###############.....] 75 %, 90 rows, 30 rows/s, 1 s left"


def test_an_empty_changelog_is_done() -> None:
    assert Restoring(0, lambda: 0, Clock()).percent == 100.0
