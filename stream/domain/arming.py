"""To which instant a lead's timer is set: nothing moves it by time alone before."""

from collections.abc import Iterator

from stream.domain.inforce import InForce
from stream.domain.person import Identity
from stream.domain.rows import Rows
from stream.domain.scoring import Outlook
from stream.domain.stages import Standing
from stream.domain.timers import LeadTimers
from stream.domain.view import View

AT_ONCE = 100
"""How many timers are set before somebody else may work."""


def arm(timers: LeadTimers, view: View, in_force: InForce) -> None:
    """Set a lead's timer to its next due instant, or leave it where that is still a lower bound."""
    person = view.person
    now, look = view.standing(), view.outlook(person.as_of)
    if now.stage.exit is None or now.stage.owner == "crm":
        timers.disarm(person.id)
    elif not _stands(timers.at(person.id), now, look):
        move = in_force.next_due(view)
        timers.arm(person.id, move.at if move is not None else None)


def _stands(armed: int | None, now: Standing, look: Outlook) -> bool:
    """Tell whether nothing falls before the armed instant; one look shows it where a score can but fall."""
    if armed is None or armed <= look.base or now.free_at > look.base or not look.only_falls:
        return False
    return not look.falls(now.stage.exit or {}, armed - 1)


def arm_all(timers: LeadTimers, rows: Rows, in_force: InForce, *, ages: bool) -> Iterator[None]:
    """Set the timers of all leads there are as a ruleset wants them; pauses after every few.

    With `ages` also those of what names their accounts.
    """
    for number, person in enumerate(rows.persons(), 1):
        if person.identified:
            members = [rows.identity(node) or Identity(node) for node in person.members]
            view = View(person, members, in_force.rules)
            due = in_force.next_due(view)
            timers.arm(person.id, due.at if due is not None else None)
            if ages and person.account:
                timers.ages.arm(person.id, view.profile.stands_until(person.placed_at))
        if number % AT_ONCE == 0:
            yield
