"""One person becomes two again, at an operator's word: who leaves, and what each side stands in and answers under then.

The sums are exact by themselves: they live with the identities. What a merge took over is given back: the id, the stage, the
hold, the sequences that the lead had when it was merged. A lead's id stays where the identity is that it was made of.
"""

from collections.abc import Collection, Sequence

from stream.domain import apart, facts, graph, joining
from stream.domain.ids import kind_of, lead_id, value_of
from stream.domain.leads import Cause, Leads
from stream.domain.person import Identity, Person, Stood, stage_named
from stream.domain.stages import Move
from stream.domain.state import NEVER


class Split:
    """Takes one person apart."""

    def __init__(self, leads: Leads) -> None:
        self.leads, self.rows = leads, leads.rows

    def split(self, person: Person, anchor: Identity, cut: Identity, cause: Cause) -> Person:
        """Let `cut` leave `anchor`'s person, with the identities linked to it through `cut` alone; return who is new.

        That is not always `cut`'s side: who has the identity that the lead was made of goes on as that lead.
        """
        self.leads.advance(person, cause.r, cause.offset)
        members = [self.rows.identity(node) or Identity(node) for node in person.members]
        leaving = _with_lead_ids(person, graph.hangs_on(cut, anchor, members))
        one, other = [m for m in members if m.node not in leaving], [m for m in members if m.node in leaving]
        apart.part(one, other, cause.offset + 1)
        graph.forget_links(one, other)
        graph.forget_links(other, one)
        stays, goes = (other, one) if any(_made_of(person.id, m.node) for m in other) else (one, other)
        return self._on_its_own(person, stays, goes, cause)

    def _on_its_own(self, person: Person, stays: Sequence[Identity], goes: Sequence[Identity], cause: Cause) -> Person:
        cause.code = "unmerge"
        back = self._leads_among(person, goes)
        roots = [lead for lead in back if lead.into not in {other.id for other in back}]
        split = self._revived(person, back, roots, cause) if back else Person(f"~{goes[0].node}", born=cause.offset + 1)
        person.members, split.members = [m.node for m in stays], [m.node for m in goes]
        for side, identities in ((person, stays), (split, goes)):
            for identity in identities:
                self.leads.belong(identity, side)
        split = self.leads.identify(split, cause)
        for identities, across in ((stays, split), (goes, person)):
            for identity in identities:
                identity.apart[-1].other = across.id if across.identified else ""
        if split.identified:
            split.as_of = max(split.as_of, person.as_of)
            if person.identified:
                self._tell(split, person, cause)
            self._stand_again(split, back, roots, cause)
        if person.identified:
            self._give_back(person, {one.id for one in back}, cause)
        return split

    def _leads_among(self, person: Person, goes: Sequence[Identity]) -> list[Person]:
        """Return the leads that were merged into a person and go now, the one identified first first."""
        made = {lead_id(one.node) for one in goes}
        stubs = [stub for id_ in person.previous if id_ in made and (stub := self.rows.stub(id_)) is not None]
        return sorted(stubs, key=lambda stub: (not stub.identified, stub.identified))

    def _revived(self, person: Person, back: Sequence[Person], roots: Sequence[Person], cause: Cause) -> Person:
        """Let the first of leads that were merged away be one again, the others merged into it."""
        first, ids = back[0], {one.id for one in back}
        joining.own_again(first, person, ids)
        joining.returned(person, roots, ids)
        for one in roots[1:]:  # they came one by one, and are one by now
            joining.take(first, one)
        for stub in map(self.rows.stub, person.previous):
            if stub is not None and (stub.id in ids or stub.into in ids):
                stub.into = "" if stub.id == first.id else first.id if stub.id in ids else person.id
                self.rows.keep(stub)
        first.previous = [one.id for one in back[1:]]
        first.identified = first.identified or cause.offset + 1
        person.previous = [id_ for id_ in person.previous if id_ not in ids]
        return first

    def _tell(self, split: Person, person: Person, cause: Cause) -> None:
        split.sequence += 1
        data = {"lead": facts.lead_block(self.leads.view(split)), "from": person.id}
        time = max(cause.r, split.as_of)
        self.leads.tell(split, facts.envelope(self.leads.app, "lead.unmerged.v1", split, time, cause.r, data), cause)

    def _stand_again(self, split: Person, back: Sequence[Person], roots: Sequence[Person], cause: Cause) -> None:
        """Let a lead stand where it stood when it was merged, and tell so if it ever told where it stands; then judge it."""
        ids = {one.id for one in back}
        stages = [one for one in joining.stood(split) if one.by == joining.OWN or one.by in ids]
        if split.entered_at != NEVER:
            self._enter(split, stages, "stands again where it stood when it was merged", cause)
        for one in roots[1:]:
            over = joining.stage_over(split, one, self.leads.rules)
            if over is not None:
                self._enter(split, over, f"taken over from {one.id}, merged into this lead", cause)
        self._judge(split, cause)

    def _give_back(self, person: Person, ids: Collection[str], cause: Cause) -> None:
        """Let who goes on stand in its own stage again where the present one came from who leaves; then judge it."""
        before = joining.stood(person)
        stages = [one for one in before if one.by not in ids]
        if stages[-1] is not before[-1]:
            self._enter(person, stages, f"{person.stage} was taken over from {before[-1].by}, which is on its own again", cause)
        else:
            joining.stand(person, stages)
        self._judge(person, cause)

    def _enter(self, person: Person, stages: list[Stood], text: str, cause: Cause) -> None:
        move = Move(stage_named(self.leads.rules, stages[-1].stage), person.as_of, "unmerge")
        since = stages[-1].entered_at
        self.leads.enter(self.leads.view(person), move, text, cause, None if since == NEVER else since)
        joining.stand(person, stages)

    def _judge(self, person: Person, cause: Cause) -> None:
        self.leads.earn(person)
        self.leads.judge(person, cause)
        self.leads.arm(person)
        self.rows.keep(person)


def _made_of(person: str, node: str) -> bool:
    """Tell whether a person has its id from an identity."""
    return person in (lead_id(node), f"~{node}")


def _with_lead_ids(person: Person, leaving: Collection[str]) -> set[str]:
    """Return who leaves, with the lead ids of the leads that do: those are members, and nobody links them."""
    sides = {lead_id(node): node in leaving for node in person.members}
    ids = {node: sides.get(value_of(node)) for node in person.members if kind_of(node) == "lead"}
    return {node for node in person.members if (node in leaving if ids.get(node) is None else ids[node])}
