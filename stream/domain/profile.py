"""Who a person is: merged traits, company, fit and grade. Changes with what is told, not with time."""

from collections.abc import Iterable, Sequence
from typing import Any

from stream.domain import scoring
from stream.domain.claims import Claim, account_of, stand_until, standing
from stream.domain.committee import Post, post_of
from stream.domain.event import Company
from stream.domain.freshness import ALWAYS
from stream.domain.ids import kind_of, value_of
from stream.domain.person import Identity
from stream.domain.ruleset.fitting import remember
from stream.domain.ruleset.model import Fit, Ruleset
from stream.domain.scoring import Explained
from stream.domain.state import GroupCall, Trait

KINDS = {"email_kind": "email", "phone_kind": "phone"}
"""The keys that ask what word lists say of an address or a number."""


class Profile:
    """What the members of a person were told to be, under one ruleset; `get` is what conditions see."""

    def __init__(self, members: Sequence[Identity], rules: Ruleset) -> None:
        self.members, self.rules = members, rules
        self.group = self._newest_group()
        self.company = self._newest_company()
        self.traits = _merged([m.state.traits for m in members])
        self.conditions = rules.fitting.of(self)
        found = rules.fitting.found.get(self.conditions) or remember(rules.fitting.found, self.conditions, self._found())
        self.fits, self.fit, self.grade, self.fit_rows = found
        self._claims: list[Claim] | None = None
        self._post: Post | None = None

    def _found(self) -> tuple[list[Fit], float, str, list[Explained]]:
        """Return the fit rules that hold, their sum, the grade, and their rows of the ledger."""
        fits = [fit for fit in self.rules.fit.values() if fit.match.holds(self.get)]
        points = sum((fit.points for fit in fits), 0.0)
        grade = scoring.grade_of(self.rules, points, len({fit.bant for fit in fits if fit.bant}))
        return fits, points, grade, [Explained(f"fit.{fit.name}", 1, fit.points) for fit in fits]

    @property
    def is_placed(self) -> bool:
        """Whether a company or a group is known."""
        return self.company is not None or self.group is not None

    def get(self, key: str) -> Any:
        """Return the value of a condition's key (traits.*, company.*, email_kind, phone_kind); None when absent."""
        if key in KINDS:
            return self._kind(KINDS[key])
        head, _, name = key.partition(".")
        if head == "traits":
            return self.trait(name)
        return self._company(name) if head == "company" else None

    def trait(self, path: str) -> Any:
        """Return a merged trait; a group's traits stand in for a missing `company.*`."""
        known = self.traits.get(path)
        if known is not None and known.value is not None:
            return known.value
        return self._told(path.removeprefix("company.")) if path.startswith("company.") else None

    def account(self, at: int | None = None) -> dict[str, Any] | None:
        """Return the account as of `at` (ms; None: as if nothing grew old).

        A `group` call beats a business e-mail domain beats an IP; the newest among equals.
        """
        claims = self.claims() if at is None else self.standing(at)
        return claims[0].account if claims else None

    def standing(self, at: int) -> list[Claim]:
        """Return what still counts for the account as of `at`, best first."""
        return standing(self.claims(), self.rules.freshness, at)

    def stands_until(self, at: int) -> int | None:
        """Return the first ms at which one of those claims counts no longer; None where that never comes."""
        until = stand_until(self.standing(at), self.rules.freshness)
        return None if until == ALWAYS else until

    def claims(self) -> list[Claim]:
        """Return the newest claim of each source, however old, highest authority first."""
        if self._claims is None:
            found = (self._of_group(), self._of_mail(), self._of_address())
            self._claims = [claim for claim in found if claim is not None]
        return self._claims

    def post(self) -> Post:
        """Return the role in a purchase and the department."""
        if self._post is None:
            self._post = post_of(self.traits.get, self.rules.committee)
        return self._post

    def _of_group(self) -> Claim | None:
        if self.group is None:
            return None
        id_, call = self.group
        name, domain = (call.traits.get(path) for path in ("name", "domain"))
        account = _account(f"account:group:{id_}", _text(name) or id_, _text(domain), "business", 1.0)
        return Claim("group", id_, call.t, account)

    def _of_mail(self) -> Claim | None:
        mails = [m for m in self.members if m.kind == "business" and kind_of(m.node) == "email"]
        if not mails:
            return None
        newest = max(mails, key=_named)
        domain = value_of(newest.node).rpartition("@")[2]
        account = _account(f"account::{domain}", self._name_of(domain), domain, "business", 1.0)
        return Claim("email", domain, newest.named_t, account)

    def _of_address(self) -> Claim | None:
        known = [m.state for m in self.members if m.state.account is not None]
        newest = max(known, key=lambda state: (state.account_t, state.account_stamp), default=None)
        company = newest.account if newest is not None else None
        if newest is None or company is None:
            return None
        account = _account(account_of(company), company.name, company.domain or None, company.kind, company.confidence)
        return Claim("address", company.network, newest.account_t, account)

    def _told(self, path: str) -> Any:
        told = self.group[1].traits.get(path) if self.group is not None else None
        return told.value if told is not None else None

    def _company(self, name: str) -> Any:
        if name == "known":
            return self.is_placed
        told = self._told(name)
        if told is not None or self.company is None:
            return told
        return self.company.get(name)

    def _kind(self, kind: str) -> str | None:
        trait = self.traits.get(kind)
        if trait is not None and trait.value is not None and trait.kind:
            return trait.kind
        named = [m for m in self.members if m.kind and kind_of(m.node) == kind]
        return max(named, key=_named).kind if named else None

    def _newest_group(self) -> tuple[str, GroupCall] | None:
        """Return the group named last, with what all members were told of it."""
        groups = [group for m in self.members if m.state.groups and (group := m.state.group()) is not None]
        if len(groups) < 2:  # nearly everybody's
            return groups[0] if groups else None
        id_, newest = max(groups, key=lambda group: (group[1].t, group[1].stamp))
        calls = [call for m in self.members if (call := m.state.groups.get(id_)) is not None]
        return id_, newest if len(calls) == 1 else GroupCall(newest.t, _merged([call.traits for call in calls]), newest.stamp)

    def _newest_company(self) -> Company | None:
        known = [m.state for m in self.members if m.state.company is not None]
        newest = max(known, key=lambda state: (state.company_t, state.company_stamp), default=None)
        return newest.company if newest is not None else None

    def _name_of(self, domain: str) -> str:
        companies = (m.state.company for m in self.members)
        return next((c.name for c in companies if c is not None and c.domain.lower() == domain and c.name), domain)


def _merged(told: Iterable[dict[str, Trait]]) -> dict[str, Trait]:
    """Return of each leaf what was told of it last: the newest event time, among equals the later in the log."""
    merged: dict[str, Trait] = {}
    for leaves in told:
        for path, trait in leaves.items():
            known = merged.get(path)
            if known is None or (trait.t, trait.stamp) > (known.t, known.stamp):
                merged[path] = trait
    return merged


def _named(member: Identity) -> tuple[int, int]:
    return member.named_t, member.named_stamp


def _text(trait: Trait | None) -> str | None:
    return trait.value if trait is not None and isinstance(trait.value, str) else None


def _account(id_: str, name: str, domain: str | None, kind: str, confidence: float) -> dict[str, Any]:
    return {"id": id_, "name": name, "domain": domain, "kind": kind, "confidence": confidence}
