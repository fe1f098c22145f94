"""An account: what stands in its own row. What its members bring stands in rows of theirs, so that no row ever grows large."""

from collections.abc import Iterator
from itertools import chain, repeat

import msgspec

from stream.domain.accounts.sums import Sums
from stream.domain.log import Member
from stream.domain.stages import VISITOR
from stream.domain.state import NEVER

AUTHORITY = {"group": 2, "email": 1}
"""How sure a kind of evidence is of the company; an address's look-up source 0."""
PROOFS = 64
"""How many different proofs an account's row keeps, those of most people and the oldest; what is beyond is counted no more."""


class Told(msgspec.Struct, array_like=True):
    """The company as evidence of one authority says, since `at` (ms), and how many members bring such evidence."""

    at: int = NEVER
    name: str = ""
    domain: str | None = None
    kind: str = ""
    confidence: float = 0.0
    members: int = 0


class Proof(msgspec.Struct, array_like=True):
    """A network, a domain or a group that led here: how many leads and other visitors, since when (ms), when last, and how sure.

    `last` is when it was told last (ms), `sure` how sure it was then (0..1); None: told to an earlier release, which kept no more
    than how sure the company was.
    """

    people: int
    visitors: int
    since: int
    last: int = NEVER
    sure: float | None = None


class Account(msgspec.Struct, array_like=True):
    """A company's own facts; `sums` are right at `as_of`.

    `sequence` is that of its newest fact, `rules` the place of the ruleset under which it was judged last. `told` is by
    authority, `proofs` by kind of evidence and what was found, `active` when any member did something last (ms).
    """

    id: str
    as_of: int = NEVER
    stage: str = VISITOR.name
    entered_at: int = NEVER
    sequence: int = 0
    rules: int = 0
    sums: Sums = msgspec.field(default_factory=Sums)
    told: dict[int, Told] = {}
    proofs: dict[str, dict[str, Proof]] = {}
    active: int = NEVER

    def told_best(self) -> Told:
        """Return the company by the highest authority that still stands, or that ever stood."""
        standing = [authority for authority, told in self.told.items() if told.members]
        return self.told[max(standing or self.told)] if self.told else Told()

    def hear(self, member: Member, r: int) -> None:
        """Take in what a member's evidence says, received at `r`."""
        self.active = max(self.active, member.active)
        best = 1.0 if member.told is None else member.told[3]
        told_at, sure = member.told_at or repeat(r), member.sure or chain((best,), repeat(1.0))
        for (source, found), last, confidence in zip(member.evidence, told_at, sure, strict=False):
            proof = self._prove(source, found, r, member, 1)
            if proof is not None and last >= proof.last:
                proof.last, proof.sure = last, confidence
        if member.told is None or not member.evidence:
            return
        told = self.told.setdefault(AUTHORITY.get(member.evidence[0][0], 0), Told())
        told.members += 1
        if r >= told.at:
            told.at = r
            told.name, told.domain, told.kind, told.confidence = member.told

    def unhear(self, member: Member) -> None:
        """Take back what a member's evidence was counted for."""
        for source, found in member.evidence:
            self._prove(source, found, 0, member, -1)
        if member.told is not None and member.evidence:
            self.told[AUTHORITY.get(member.evidence[0][0], 0)].members -= 1

    def _prove(self, source: str, found: str, r: int, member: Member, step: int) -> Proof | None:
        known = self.proofs.setdefault(source, {})
        proof = known.get(found)
        if proof is None and step > 0:
            proof = known[found] = Proof(0, 0, r)
        if proof is not None:
            proof.people += step * member.lead
            proof.visitors += step * (not member.lead)
            proof.since = min(proof.since, r) if step > 0 else proof.since
            if proof.people <= 0 and proof.visitors <= 0:
                del known[found]
        if not known:
            del self.proofs[source]
        elif sum(map(len, self.proofs.values())) > PROOFS:
            self._drop_least()
        return proof

    def _drop_least(self) -> None:
        ranked = [(p.people, p.visitors, -p.since, source, found) for source, found, p in self.all_proofs()]
        *_, source, found = min(ranked)
        del self.proofs[source][found]
        if not self.proofs[source]:
            del self.proofs[source]

    def all_proofs(self) -> Iterator[tuple[str, str, Proof]]:
        """Yield (kind of evidence, what was found, proof)."""
        for source, known in self.proofs.items():
            for found, proof in known.items():
                yield source, found, proof
