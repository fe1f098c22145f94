"""Leads of a table that was lost: as the CRM knows them they stand again, until the visitors' sums have come back.

What the CRM said holds on, what was refused stays refused, and whom an operator took apart stays apart: all before the sums,
which bring links with them, and may lift a lead.
"""

from stream.domain import apart
from stream.domain.ids import kind_of, lead_id, value_of
from stream.domain.leads import Leads
from stream.domain.links import Links
from stream.domain.log import Refused, Restored, Said, Snapshot, Told
from stream.domain.person import Identity, Person, stage_named
from stream.domain.state import NEVER


def bring_back(links: Links, told: Restored | Told | Refused | Said, offset: int) -> None:
    """Let people know again what they lost."""
    if isinstance(told, Restored):
        _restore(links.leads, told, offset)
    elif isinstance(told, Said):
        _part_again(links.leads, told)
    elif isinstance(told, Told):
        _obey_again(links.leads, told)
    else:
        _refuse_again(links, told)


def hear_again(leads: Leads, person: Person, snap: Snapshot) -> None:
    """Let the CRM's newest move hold on whose identity the lead was not known to have before its sums came back."""
    known = snap.state.outcomes
    if snap.wake and known is not None and known.moved is not None:
        _hold(leads, person, Told(snap.node, known.moved.stage, known.moved.t, known.moved.r))


def _obey_again(leads: Leads, told: Told) -> None:
    if kind_of(told.node) == "lead":
        person = leads.rows.lead(value_of(told.node))
    else:
        identity = leads.rows.identity(told.node)
        person = None if identity is None else leads.rows.person(identity.person)
    if person is not None:
        _hold(leads, person, told)


def _hold(leads: Leads, person: Person, told: Told) -> None:
    """Let a move count again, and hold an engine's stage from when it was obeyed.

    That was when the stage was entered, where it was by this move: during a hold nothing else enters one.
    """
    stage = stage_named(leads.rules, told.stage)
    if told.t < person.crm_t:
        return
    person.crm_t = told.t
    if stage.name == told.stage:
        entered = person.stage == told.stage and told.r <= person.entered_at < told.r + leads.rules.hold_ms
        since = person.entered_at if entered else told.r
        person.hold_until = since + leads.rules.hold_ms if stage.owner == "engine" else NEVER
    leads.rows.keep(person)


def _refuse_again(links: Links, told: Refused) -> None:
    """Let a pair stay apart, and a device of it shared: what it gave stays with the lead it was of."""
    rows = links.rows
    pair = [rows.identity(node) or Identity(node) for node in (told.key, told.other)]
    for identity, id_ in zip(pair, told.leads, strict=False):
        person = rows.person(id_) if len(told.leads) == len(pair) else None
        if person is None or not person.identified or identity.person:
            continue
        if not apart.are_apart((identity,), links.identities(person)):
            person.members.append(identity.node)
            links.leads.belong(identity, person)
    links.remember(*pair)
    if told.code == "class_a":
        links.share(*pair)


def _part_again(leads: Leads, told: Said) -> None:
    """Let an identity stay apart from those that an operator took it from."""
    identity = leads.rows.identity(told.node) or Identity(told.node)
    identity.apart = told.apart
    leads.rows.keep(identity)


def _still(leads: Leads, told: Restored) -> tuple[list[Identity], dict[str, int]]:
    """Return a lead's members, and the ids merged into it, without those that an operator has taken from it since it was told."""
    members = [leads.rows.identity(node) or Identity(node) for node in told.members]
    made_of = [member for member in members if lead_id(member.node) == told.lead]
    left = {member.node for member in members if apart.are_apart(made_of, (member,))}
    own = {lead_id(node) for node in left}
    previous = {id_: sequence for id_, sequence in told.previous.items() if id_ not in own}
    return [member for member in members if member.node not in left], previous


def _restore(leads: Leads, told: Restored, offset: int) -> None:
    """Let a lead stand again where it stood, with the members it had; who is known already is left alone.

    One without a stage, that the CRM heard of all the same, only keeps the number of its newest fact.
    """
    rows = leads.rows
    if rows.person(told.lead) is not None:
        return
    person = Person(told.lead, born=offset + 1, sequence=told.sequence)
    rows.keep(person)
    if not told.stage:
        return
    person.identified, person.as_of, person.rules = offset + 1, told.as_of, leads.in_force.place
    members, previous = _still(leads, told)
    person.stage, person.entered_at, person.previous = told.stage, told.entered_at, list(previous)
    for identity in members:
        if not identity.person:
            person.members.append(identity.node)
            leads.belong(identity, person)
    for id_, sequence in told.previous.items():
        if rows.stub(id_) is None:  # one that is on its own again is numbered on, too
            rows.keep(Person(id_, born=offset + 1, into=told.lead if id_ in previous else "", sequence=sequence))
