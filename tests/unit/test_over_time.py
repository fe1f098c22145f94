"""What becomes of leads over time is the same however the log is read: rules that change, merges, unlinks, erasures."""

from collections.abc import Collection
from typing import Any

import pytest

from stream.domain import asking, graph
from stream.domain.event import Link
from stream.domain.log import Erasing, Linking, Unlinking, encode
from stream.domain.visitor import say_again
from tests.told import (
    BEHAVIOURS,
    DAY,
    HOUR,
    LADDER,
    LEAD_1,
    SECOND,
    START,
    Log,
    facts_in,
    happened,
    moves_in,
    replay,
    rules,
)  # fmt: skip

USER, MAIL, DEVICE = "user::1", "email::x@acme.example", "weibo::w"


def told(log: "Story", cuts: Collection[int] = ()) -> list[dict[str, Any]]:
    """Return the facts of a log whose worker was restarted before the records at `cuts`."""
    return facts_in(replay(log.records, log.first, cuts))


class Story(Log):
    """A log that knows under which rules it began."""

    def __init__(self, text: str = BEHAVIOURS + LADDER) -> None:
        self.first = rules(text)
        super().__init__(self.first)


def test_a_sequence_that_a_deployment_adds_is_earned_whoever_looked_at_the_lead_before() -> None:
    every = BEHAVIOURS + '[sequences.all]\nsteps = ["met", "asked", "viewed"]\nwithin = "90d"\npoints = 1\n'
    added = '[sequences.met-asked]\nsteps = ["met", "asked"]\nwithin = "20d"\npoints = 50\n'
    log = Story(every + LADDER)
    log.add(happened("Met", USER, START), happened("Asked", USER, START + DAY))
    log.tick(START + DAY)
    log.deploy(rules(every + added + LADDER))
    log.people.leads.view(log.person(USER))  # whatever reads it: what is due, its account
    log.add(happened("Nothing", USER, START + DAY + 2 * SECOND))
    log.add(happened("Left", USER, START + 2 * DAY))
    log.tick(START + 30 * DAY)
    assert log.facts == told(log, range(len(log.records)))
    assert "met-asked" in log.person(USER).bonuses


FADING = """
[decay]
half_life = "1d"
[behaviours.pleased]
match = { event = "Pleased" }
points = 70
[behaviours.annoyed]
match = { event = "Annoyed" }
points = -80
[behaviours.long]
match = { event = "Long" }
points = 0
half_life = "30d"
[interest]
floor = -100
[idle]
after = "300d"
points = -30
[[stages]]
name = "lead"
enter = { identified = true }
[[stages]]
name = "mql"
enter = { interest = 0 }
exit = { interest = -20 }
"""


def fallen() -> Story:
    """Return the story of somebody who is an mql, and whose anger lasts longer than the joy."""
    log = Story(FADING)
    log.add(happened("Pleased", USER, START + HOUR), happened("Annoyed", USER, START, r=START + HOUR))
    assert log.person(USER).stage == "mql"
    return log


def test_a_sum_below_nothing_that_rises_again_has_fallen_before() -> None:
    due = asking.lead(fallen().people, USER, START + HOUR)
    ahead = asking.lead(fallen().people, USER, START + HOUR, START + 5 * DAY)
    assert due is not None
    assert ahead is not None
    log = fallen()
    for day in (1, 2, 5, 100, 299, 301, 310):
        log.tick(START + day * DAY)
    assert log.facts == told(log, range(len(log.records)))
    falls = [fact for fact in log.facts if fact["data"]["reason"]["code"] == "decay"]
    assert [fact["time"] for fact in falls][:1] == [due["nextCrossingAt"]]
    assert (due["nextCrossingAt"][:13], ahead["stage"]["name"]) == ("2026-01-05T06", "lead")


FREE = (
    BEHAVIOURS
    + """
[fit.free]
match = { email_kind = "free" }
points = -30
[[stages]]
name = "lead"
enter = { identified = true }
[[stages]]
name = "mql"
enter = { total = 60 }
exit = { total = 40 }
"""
)


@pytest.mark.parametrize("ticks", [True, False])
def test_what_was_due_before_a_merge_does_not_know_what_the_merging_event_tells(ticks: bool) -> None:  # noqa: FBT001 - of the table
    business, free = Link("email::x@acme.example", "business"), Link("email::y@gmail.example", "free")
    log = Story(FREE)
    log.add(happened("Asked", USER, START, links=[business]))
    log.add(happened("Nothing", USER, START - HOUR, r=START, links=[free]))
    log.add(happened("page", "crm::9", START + DAY))
    if ticks:
        log.tick(START + 12 * DAY)
    log.add(happened("page", "crm::9", START + 12 * DAY, links=[free]))
    (falls,) = [move for move in log.moves(LEAD_1) if move[2] == "decay"]
    assert falls[3] == pytest.approx(10 * DAY, abs=SECOND)


def test_after_an_unlink_the_first_stage_was_entered_then() -> None:
    log = Story(BEHAVIOURS + '[[stages]]\nname = "mql"\nenter = { interest = 60 }\nexit = { interest = 40 }\n')
    log.add(happened("page", USER, START), happened("Asked", MAIL, START + HOUR))
    log.add(happened("page", USER, START + 2 * HOUR, links=[MAIL]))
    log.tick(START + 3 * HOUR)
    log.append(Unlinking("w", USER, MAIL))
    stages = [fact["data"]["stage"] for fact in log.facts if fact["subject"] == LEAD_1 and "stage" in fact["data"]]
    assert (stages[-1]["to"]["name"], stages[-1]["enteredAt"]) == ("visitor", "2026-01-05T03:00:00.000Z")


@pytest.mark.parametrize("erased", [True, False])
def test_an_erasure_of_somebody_else_leaves_a_lead_what_it_knows_of_its_stage(erased: bool) -> None:  # noqa: FBT001 - of the table
    other = "email::z@acme.example"
    log = Story(BEHAVIOURS + LADDER.replace("total = 120 ", "total = 500 ").replace("total = 90 ", "total = 400 "))
    log.add(happened("page", USER, START), happened("page", other, START), happened("page", USER, START, links=[other]))
    log.tick(START)
    log.append(Unlinking("u1", USER, other))
    log.add(*(happened("page", USER, START) for _ in range(3)))
    log.add(happened("Asked", MAIL, START + HOUR), happened("page", USER, START + HOUR, links=[MAIL]))
    log.tick(START + HOUR)
    if erased:
        log.append(Erasing("e1", other, b"s" * 16))
    log.append(Unlinking("u2", USER, MAIL))
    assert log.person(USER).stage == "lead"


def test_nobody_is_linked_to_a_shared_device_that_was_erased() -> None:
    log = Story()
    log.add(happened("page", MAIL, START, links=[DEVICE]), happened("page", "crm::9", START, links=[DEVICE]))
    log.add(happened("page", USER, START), happened("page", "user::2", START, links=[DEVICE]))
    log.add(happened("page", USER, START, links=[DEVICE]))
    log.tick(START + HOUR)
    assert graph.mark(DEVICE) in log.people.rows.identity("crm::9").linked  # type: ignore[union-attr]  # it is there
    log.people.cut()
    log.append(Erasing("e1", DEVICE, b"s" * 16))
    assert b"i:crm::9" in dict(log.people.cut()), "a restart would bring it back"
    assert graph.mark(DEVICE) not in log.people.rows.identity("crm::9").linked  # type: ignore[union-attr]  # it is there


def test_a_lead_that_new_rules_will_move_is_told_when() -> None:
    log = Story()
    log.add(happened("Asked", USER, START))
    log.tick(START + 5 * DAY)
    log.deploy(rules(BEHAVIOURS + LADDER.replace("60", "100").replace("= 40", "= 70")))
    document = asking.lead(log.people, USER, START)
    assert document is not None
    log.tick(START + 5 * DAY)
    assert log.facts[-1]["time"] == document["nextCrossingAt"] == "2026-01-10T00:00:00.000Z"
    assert moves_in(log.facts)[-1][:2] == ("mql", "lead")


def test_an_address_that_was_a_device_is_woken_where_it_is_one_no_more() -> None:
    weak, strong = BEHAVIOURS + LADDER + '[identity]\ntyped_email = "C"\n', BEHAVIOURS + LADDER
    for first, second in ((weak, weak), (weak, strong), (strong, strong)):
        log = Story(first)
        log.add(happened("Asked", MAIL, START))
        log.tick(START)
        if second is not first:
            log.deploy(rules(second))
        log.add(happened("page", USER, START + HOUR, links=[MAIL]))
        assert log.document(USER, START + HOUR)["score"]["interest"] == pytest.approx(89.8, abs=0.1)


def test_who_parts_from_nobodys_lead_is_told_of_by_its_stage_alone() -> None:
    log = Story(BEHAVIOURS + LADDER + '[identity]\ntyped_email = "C"\n')
    log.add(happened("page", "anon::a", START, links=[MAIL]))
    log.tick(START + SECOND)
    log.deploy(rules())
    log.tick(START + 2 * SECOND)
    log.append(Unlinking("u1", "anon::a", MAIL))
    assert log.person(MAIL).identified
    assert [fact["type"] for fact in log.facts if "unmerged" in fact["type"]] == []
    assert b"anon::a" not in b"".join(out.value or b"" for out in log.out if out.topic == "stage-changes")


def test_a_device_that_is_asked_again_answers_once_and_links_nobody() -> None:
    """A resync tells whom it named while it was shared; that links nobody, now that an operator has said whose it is."""
    log = Story()
    log.add(happened("page", USER, START, links=[DEVICE]), happened("page", "user::2", START, links=[DEVICE]))
    log.add(happened("page", MAIL, START), happened("page", DEVICE, START, links=[MAIL]))
    log.tick(START)
    before = {tuple(person.members) for person in log.people.rows.persons()}
    people, places = log.people, iter(range(len(log.records) + 1, len(log.records) + 9))
    people.apply(next(places), encode(Linking("l1", USER, DEVICE)))
    answer = encode(say_again(log.visitors[DEVICE], DEVICE))
    people.apply(next(places), answer)
    device = people.rows.identity(DEVICE)
    assert device is not None
    assert (device.shared, device.asked) == (False, False)
    people.apply(next(places), answer)
    assert {tuple(person.members) for person in people.rows.persons()} == before
