"""Leads of a table that was lost: as the CRM knows them they stand again, until the visitors' sums have come back."""

from stream.domain.leads import Leads
from stream.domain.log import Restored
from stream.domain.person import Identity, Person


def restore(leads: Leads, told: Restored, offset: int) -> None:
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
    person.stage, person.entered_at, person.previous = told.stage, told.entered_at, list(told.previous)
    for node in told.members:
        identity = rows.identity(node) or Identity(node)
        if not identity.person:
            person.members.append(node)
            leads.belong(identity, person)
    for id_, sequence in told.previous.items():
        rows.keep(Person(id_, born=offset + 1, into=told.lead, sequence=sequence))
