"""Who is due when: one armed instant per lead, in order of instant and lead."""

from stream.domain.timers import Timers


def armed(**instants: int) -> Timers:
    timers = Timers()
    for lead, at in instants.items():
        timers.arm(lead, at)
    return timers


def due(timers: Timers, clock: int) -> list[str]:
    return [lead for _, lead in timers.due(clock)]


def test_due_leads_come_in_order_of_instant_then_lead() -> None:
    timers = armed(c=5, b=7, a=7, d=9)

    assert due(timers, 8) == ["c", "a", "b"]
    assert due(timers, 8) == []
    assert len(timers) == 1


def test_it_is_told_without_taking_anything_whether_something_may_be_due() -> None:
    timers = armed(a=7)
    assert [timers.is_due(clock) for clock in (6, 7)] == [False, True]
    assert due(timers, 7) == ["a"]
    assert not timers.is_due(9)


def test_an_instant_is_due_at_itself() -> None:
    assert due(armed(a=7), 6) == []
    assert due(armed(a=7), 7) == ["a"]


def test_arming_again_replaces_the_instant() -> None:
    timers = armed(a=5)
    timers.arm("a", 9)

    assert timers.at("a") == 9
    assert due(timers, 8) == []
    assert due(timers, 9) == ["a"]


def test_arming_the_same_instant_twice_is_due_once() -> None:
    timers = armed(a=5)
    timers.arm("a", 5)

    assert due(timers, 5) == ["a"]


def test_an_earlier_instant_overtakes() -> None:
    timers = armed(a=9)
    timers.arm("a", 5)

    assert due(timers, 20) == ["a"]


def test_nothing_disarms() -> None:
    timers = armed(a=5, b=5)
    timers.arm("a", None)
    timers.disarm("b")
    timers.disarm("nobody")

    assert (timers.at("a"), len(timers), due(timers, 9)) == (None, 0, [])


def test_a_lead_armed_anew_while_the_clock_runs_is_due_in_its_turn() -> None:
    timers = armed(a=1, b=3)
    seen = []
    for at, lead in timers.due(5):
        seen.append((at, lead))
        if len(seen) == 1:
            timers.arm("a", 4)

    assert seen == [(1, "a"), (3, "b"), (4, "a")]
