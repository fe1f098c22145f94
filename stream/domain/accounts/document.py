"""What look-ups answer about an account: its document as of an instant, nothing stored."""

import re
from typing import Any, cast

import msgspec

from stream.domain.accounts.account import AUTHORITY, Account, Proof
from stream.domain.accounts.facts import account_block
from stream.domain.accounts.fold import Accounts
from stream.domain.accounts.live import Live
from stream.domain.documents import TooEarly
from stream.domain.freshness import confidence, counts_until
from stream.domain.instants import write as to_text
from stream.domain.log import BY_ITSELF, Member, Members, encode
from stream.domain.ruleset.model import Freshness
from stream.domain.seats import committee
from stream.domain.state import NEVER

ACCOUNT_ID = re.compile(r"account:(|group|name):[^\0]+")
_encode = msgspec.msgpack.Encoder().encode
_account = msgspec.msgpack.Decoder(Account).decode
_member = msgspec.msgpack.Decoder(Member).decode


def named(id_: str) -> str:
    """Return an account's id as it is kept; ValueError where it is none.

    >>> named("account::ACME.example"), named("account:group:X1")
    ('account::acme.example', 'account:group:X1')
    """
    if ACCOUNT_ID.fullmatch(id_) is None:
        msg = f"{id_!r} is no account: write account::DOMAIN, account:group:ID or account:name:NAME"
        raise ValueError(msg)
    id_.encode()  # refuses lone surrogates: such an id cannot be in Kafka
    return id_ if id_.startswith("account:group:") else id_.lower()


def account(fold: Accounts, id_: str, now: int, at: int | None = None) -> dict[str, Any] | None:
    """Return an account's document; None where there is no such account.

    Without `at`: sums as of `now` (ms; the account's clock, if later), the stage as last decided. With it: as if the clock had
    run there; raises `documents.TooEarly` before the account's clock.
    """
    copy = _copy(fold, id_)
    known = None if copy is None else copy.rows.account(id_)
    if copy is None or known is None:
        return None
    if at is not None and at < known.as_of:
        raise TooEarly(at, known.as_of)
    if at is not None and copy.rules.freshness is not None:
        _grow_old(copy, known, copy.rules.freshness, at)
    live, as_of = copy.live(known), known.as_of if at is None else at
    if at is not None:
        copy.advance(known, live, at, 0)
    until = max(now, as_of) if at is None else at
    while live.next <= until:
        live.pass_next()
    return _document(copy, known, live, until, as_of)


def _copy(fold: Accounts, id_: str) -> Accounts | None:
    """Return a fold of one account and the members that need be looked at, under the same rules; the fold goes on meanwhile."""
    known = fold.rows.account(id_)
    if known is None:
        return None
    copy = Accounts({}, fold.app, fold.in_force)
    copy.rows.keep(_account(_encode(known)))
    names = fold.rows.leads.get(id_, set()) | fold.rows.changing.get(id_, set())
    for member in [found for name in names if (found := fold.rows.member(id_, name)) is not None]:
        copy.rows.keep_member(id_, _member(_encode(member)))
    return copy


def _grow_old(copy: Accounts, known: Account, rules: Freshness, at: int) -> None:
    """Let leads leave whom nothing that counts by `at` (ms) names here any more, each at its instant, and old evidence go.

    The sources of one account stand together by authority, so a lead stays as long as the youngest of them counts.
    """
    leaving = []
    for id_ in copy.rows.leads.get(known.id, ()):
        lead = cast("Member", copy.rows.member(known.id, id_))
        until = [counts_until(rules, told_at) for told_at in lead.told_at]
        if until and max(until) <= at:
            leaving.append((max(until), id_, lead.version))
        else:
            old = [one for one, end in zip(lead.evidence, until, strict=False) if end <= at]
            known.unhear(msgspec.structs.replace(lead, evidence=old, told=None))
    for end, id_, version in sorted(leaving):
        copy.apply(0, encode(Members(known.id, end, [Member(id_, version, left=True)], BY_ITSELF)))


def _document(fold: Accounts, known: Account, live: Live, at: int, as_of: int) -> dict[str, Any]:
    rules, score = fold.rules, live.score(fold.in_force.anonymous)
    stage = fold.in_force.standing(known).stage
    leads = [member for id_ in fold.rows.leads.get(known.id, ()) if (member := fold.rows.member(known.id, id_)) is not None]
    evidence = _evidence(known, rules.freshness, at)
    company = account_block(known)
    return {
        "id": known.id,
        "asOf": to_text(as_of),
        **{name: company[name] for name in ("name", "domain", "kind")},
        "confidence": _confidence(known, evidence),
        "evidence": evidence,
        "stage": stage.name,
        "score": score.part("score", at),
        "people": sorted(lead.id for lead in leads),
        "anonymous": live.sums.anonymous,
        **committee(leads, rules, at),
        "interest": score.part("interest", at),
        "stageOrder": stage.order,
        "enteredAt": None if known.entered_at == NEVER else to_text(known.entered_at),
        "lastActivity": None if known.active == NEVER else to_text(known.active),
        "ruleset": {"id": rules.id, "hash": rules.hash},
    }


def _evidence(known: Account, rules: Freshness | None, at: int) -> list[dict[str, Any]]:
    """Return what led here, the surest first; one that was told long ago is less sure."""
    found = []
    for source, proof, count in known.all_proofs():
        found.append(
            {
                "source": source,
                "proof": proof,
                "people": count.people,
                "visitors": count.visitors,
                "since": to_text(count.since),
                "last": to_text(max(count.last, count.since)),
                "confidence": _sure(known, source, count) * confidence(rules, max(count.last, count.since), at),
            }
        )
    return sorted(found, key=lambda one: (-AUTHORITY.get(one["source"], 0), -one["people"], -one["visitors"], one["proof"]))


def _sure(known: Account, source: str, proof: Proof) -> float:
    """Return how sure a piece of evidence was when it was told; of an address the company's, where no more was kept."""
    if proof.sure is not None:
        return proof.sure
    told = None if source in AUTHORITY else known.told.get(0)
    return 1.0 if told is None else told.confidence


def _confidence(known: Account, evidence: list[dict[str, Any]]) -> float:
    """Return how sure the company is: as the surest evidence of the source that names it; without any, as it was told."""
    best = max((AUTHORITY.get(one["source"], 0) for one in evidence), default=None)
    shown = [float(one["confidence"]) for one in evidence if AUTHORITY.get(one["source"], 0) == best]
    return max(shown, default=known.told_best().confidence)
