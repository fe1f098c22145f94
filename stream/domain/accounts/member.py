"""What a lead or a visitor brings to its account, and which that is.

No row of an account holds an identity: a visitor is a member under a hash, a lead under its id.
"""

from hashlib import blake2b
from typing import NamedTuple

from stream.domain.claims import Claim
from stream.domain.claims import account_of as of_company
from stream.domain.curves import Curve
from stream.domain.freshness import ALWAYS, counts_until
from stream.domain.log import Member
from stream.domain.ruleset.model import Ruleset
from stream.domain.state import State
from stream.domain.view import View


class Place(NamedTuple):
    """The account of a lead, how it is known (best first), what the best says of it, when each was told last, and how sure."""

    account: str
    evidence: list[tuple[str, str]]
    told: tuple[str, str | None, str, float]
    told_at: list[int]
    sure: list[float]


def visitor_id(node: str) -> str:
    """Return the id under which a visitor is a member: no row of an account holds an identity.

    >>> visitor_id("anon::9f2c")
    'v_5922fb70033b5ce2'
    """
    return f"v_{blake2b(node.encode(), digest_size=8).hexdigest()}"


def alone_id(node: str) -> str:
    """Return the id under which one who is awake, and nobody's, is a member."""
    return f"~{visitor_id(node)}"


def account_of(state: State) -> str:
    """Return the id of the account that a visitor alone counts for: a group's, else its address block's; "" for none."""
    group = state.group() if state.groups else None
    if group is not None:
        return f"account:group:{group[0]}"
    return "" if state.account is None else of_company(state.account)


def visitor_member(id_: str, state: State, version: int, floor: float, past: State | None = None) -> Member:
    """Return what a visitor alone brings; `past` is what it gave to somebody before."""
    interest = {h: sum(part.values()) for h, part in state.points.items()}
    if past is not None:
        for h, part in past.points.items():
            interest[h] = interest.get(h, 0.0) - sum(part.values()) * 2.0 ** ((past.landmark - state.landmark) / h)
            if abs(interest[h]) < 1e-12:
                del interest[h]
    evidence, told, told_at = _seen(state)
    return Member(
        id_, version, base=state.landmark, interest=interest, floor=floor, active=state.active, evidence=evidence, told=told,
        told_at=told_at, sure=[told[3]],
    )  # fmt: skip


def _seen(state: State) -> tuple[list[tuple[str, str]], tuple[str, str | None, str, float], list[int]]:
    company = state.account
    network = [] if company is None else [("address", company.network)]
    group = state.group()
    if group is None and company is not None:
        told = company.name, company.domain or None, company.kind, company.confidence
        return network, told, [state.account_t]
    id_, call = group  # type: ignore[misc]  # who has an account has one of them
    name, domain = (trait.value if (trait := call.traits.get(path)) is not None else None for path in ("name", "domain"))
    told = name if isinstance(name, str) else id_, domain if isinstance(domain, str) else None, "business", 1.0
    return [("group", id_)], told, [call.t]


def place_of(claims: list[Claim]) -> Place | None:
    """Return the account that claims name, the best of them first."""
    if not claims:
        return None
    best = claims[0].account
    told = best["name"], best["domain"], best["kind"], best["confidence"]
    evidence = [(claim.source, claim.proof) for claim in claims]
    return Place(
        best["id"], evidence, told, [claim.told_at for claim in claims], [claim.account["confidence"] for claim in claims]
    )


def lead_member(view: View, place: Place, version: int) -> Member:
    """Return what a lead brings to its account."""
    person, rules = view.person, view.rules
    look, post, idle = view.outlook(person.as_of), view.profile.post(), rules.idle
    return Member(
        person.id, version, lead=True, base=look.base, interest=_lasting(look.interest), timing=_lasting(look.timing),
        fit=look.fit, floor=rules.floor, active=look.active, idle_ms=idle.after_ms if idle is not None else 0,
        idle_points=idle.points if idle is not None else 0.0, evidence=place.evidence, told=place.told,
        role=post.role or "", department=post.department or "",
        role_until=_until(rules, post.role_t), department_until=_until(rules, post.department_t), told_at=place.told_at,
        sure=place.sure,
    )  # fmt: skip


def _lasting(curve: Curve) -> Curve:
    return {h: a for h, a in curve.items() if a}


def _until(rules: Ruleset, told_at: int) -> int:
    return ALWAYS if rules.freshness is None else counts_until(rules.freshness, told_at)
