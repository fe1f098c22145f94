"""T: what was received until then has been handed on."""

from stream.runtime.ticks import HISTORY_MS, MARGIN_MS, Progress

NOW = 1_000_000_000


def test_nothing_is_known_before_the_first_answer_or_record() -> None:
    assert Progress(0).until(NOW) is None


def test_an_answer_counts_once_its_watermark_is_applied() -> None:
    progress = Progress(0)
    progress.answered(5, NOW)
    assert progress.until(NOW) is None
    progress.handed_on(5, [NOW - 7000], NOW, history=False)
    assert progress.until(NOW) == NOW - MARGIN_MS


def test_an_answer_ahead_of_what_is_applied_waits_behind_the_newest_that_is_not() -> None:
    progress = Progress(10)
    progress.answered(10, NOW)
    progress.answered(25, NOW + 500)
    assert progress.until(NOW + 500) == NOW - MARGIN_MS


def test_a_backlog_counts_by_the_smallest_receive_time_of_the_last_thousand_records() -> None:
    progress = Progress(0)
    progress.answered(5000, NOW)
    progress.handed_on(1, [10], NOW, history=False)
    assert progress.until(NOW) == 10 - MARGIN_MS
    progress.handed_on(1001, list(range(500, 1500)), NOW, history=False)
    assert progress.until(NOW) == 500 - MARGIN_MS


def test_while_a_history_loads_only_the_records_count() -> None:
    progress = Progress(0)
    progress.answered(1, NOW)
    progress.handed_on(1, [77_000], NOW, history=True)
    assert progress.until(NOW) == 77_000 - MARGIN_MS
    progress.answered(1, NOW + 60_000)
    assert progress.until(NOW + 59_999) == 77_000 - MARGIN_MS
    assert progress.until(NOW + 60_000) == NOW + 60_000 - MARGIN_MS


def test_a_history_that_was_loading_before_a_restart_still_is() -> None:
    progress = Progress(3, history_until=NOW + 10)
    progress.answered(3, NOW)
    assert progress.until(NOW) is None


def test_records_older_than_what_was_told_send_the_clock_back_before_they_are_handed_on() -> None:
    progress = Progress(0)
    progress.answered(0, NOW)
    assert progress.until(NOW) == NOW - 1000
    assert progress.steps_back([NOW]) is None
    assert progress.steps_back([NOW, NOW - 5000]) == NOW - 5001
    assert progress.steps_back([NOW - 5000]) is None


def test_after_a_start_nobody_knows_what_was_told_so_the_first_records_say_it() -> None:
    assert Progress(0).steps_back([NOW]) == NOW - 1


def test_a_clock_that_was_ahead_and_is_set_right_leaves_no_tick_ahead() -> None:
    progress, hour = Progress(0), 3_600_000
    for position, ahead in enumerate((0, hour, hour, 0, 0), 1):
        progress.answered(position, NOW + position * 100 + ahead)
        progress.handed_on(position, [NOW], NOW, history=False)
        assert progress.until(NOW) == NOW + position * 100 + ahead - MARGIN_MS


def test_a_clock_that_is_set_back_a_little_keeps_what_was_proven_before() -> None:
    progress = Progress(0)
    for position, sent_ms in ((5, NOW), (50, NOW + 900), (50, NOW + 400)):
        progress.answered(position, sent_ms)
    progress.handed_on(5, [], NOW, history=False)
    assert progress.until(NOW) == NOW - MARGIN_MS


def test_a_history_that_a_clock_ahead_saw_ends_a_minute_after_it_is_set_right() -> None:
    progress, hour = Progress(0), 3_600_000
    progress.answered(1, NOW)
    progress.handed_on(1, [5_000], NOW + hour, history=True)
    assert progress.until(NOW) == 5_000 - MARGIN_MS
    assert progress.until(NOW + HISTORY_MS) == NOW - MARGIN_MS
