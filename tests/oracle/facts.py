"""Events out and documents (sections 4 and 10 of the contract)."""

# Decided: an account by address is the newest answer that may name one, whatever came after it.

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.oracle import identities as ids
from tests.oracle import outcomes
from tests.oracle.people import Lead, Person, Row, decayed
from tests.oracle.rules import Rules, exits
from tests.oracle.scoring import Score, ordered, row

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TRAITS_OUT = ["email", "phone", "name", "title", "company"]


def instant_text(ms: int | None) -> str | None:
    """Return RFC 3339 UTC with milliseconds."""
    if ms is None:
        return None
    return (EPOCH + timedelta(milliseconds=ms)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def lead_fact(source: str, subject: str, number: int, kind: str, when: tuple[int, int], data: dict[str, Any]) -> dict[str, Any]:
    """Return the CloudEvent; `when` is (time, recordedtime)."""
    return {
        "specversion": "1.0",
        "id": f"{subject}-{number:010d}",
        "source": source,
        "type": kind,
        "subject": subject,
        "time": instant_text(when[0]),
        "recordedtime": instant_text(when[1]),
        "sequence": f"{number:010d}",
        "datacontenttype": "application/json",
        "data": data,
    }


def stage_fact(
    person: Person, lead: Lead, rules: Rules, *, left: dict[str, Any], since: int | None, code: str, at: int
) -> dict[str, Any]:
    """Return the data of a stage change that has just been made."""
    score = Score(person, rules)
    to = lead.stage
    up = to["order"] > left["order"]
    named = left if not up and code in {"threshold_down", "decay", "idle"} else to
    falls = score.next_fall(lead, at, None)
    return {
        "lead": lead_summary(person, lead, rules),
        "account": account(person, rules, at),
        "stage": {
            "from": {"name": left["name"], "order": left["order"]},
            "to": {"name": to["name"], "order": to["order"]},
            "direction": "up" if up else "down" if to["order"] < left["order"] else "same",
            "enteredAt": instant_text(lead.entered),
            "timeInPreviousMs": None if since is None else at - since,
        },
        "reason": {"code": code, "ruleId": f"stages.{named['name']}", "text": ""},
        "score": {**score.at(at), "nextCrossingAt": instant_text(falls), "nextStageIfIdle": below(score, rules, lead, falls)},
        "explain": score.explain(at),
        "tags": score.tags(at)[:10],
        "route": score.route(at, to["name"]),
        "journey": person.journey(),
        "ruleset": {"id": rules.id, "hash": rules.hash},
    }


def below(score: Score, rules: Rules, lead: Lead, at: int | None) -> str | None:
    """Return the stage that a fall at an instant leads to."""
    if at is None:
        return None
    found = score.at(at)
    lower = [s for s in rules.stages if s["order"] < lead.stage["order"] and s["owner"] == "engine"]
    return str([s for s in lower if not exits(s, found)][-1]["name"])


def lead_summary(person: Person, lead: Lead, rules: Rules) -> dict[str, Any]:
    """Return `data.lead`."""
    names = [member.id for member in person.members]
    traits = person.traits()
    outside = sorted(
        (ids.kind_of(n), ids.value_of(n), ids.scope_of(n)) for n in names if ids.kind_of(n) not in {"user", "anon", "lead"}
    )
    wanted = rules.part("events").get("traits", TRAITS_OUT)
    return {
        "id": lead.id,
        "userId": next((ids.value_of(n) for n in names if ids.kind_of(n) == "user"), None),
        "anonymousIds": sorted(ids.value_of(n) for n in names if ids.kind_of(n) == "anon"),
        "externalIds": [{"type": kind, **({"scope": scope} if scope else {}), "id": value} for kind, value, scope in outside],
        "previousIds": sorted(lead.previous),
        "traits": {path: traits[path] for path in wanted if path in traits},
    }


def account(person: Person, rules: Rules, at: int) -> dict[str, Any] | None:
    """Return the account: of a group, else of a business e-mail, else of an address; what is too old at `at` names none."""
    group = person.group()
    if group is not None and rules.counts(group.t, at):
        id_, told = ids.cleaned(group.body["groupId"]), person.group_traits()
        return {"id": f"account:group:{id_}", "name": told.get("name", id_), "domain": told.get("domain")}
    business = [mail for mail in person.named("email") if ids.email_kind(mail) == "business"]
    if business and rules.counts(person.named_at("email", business[-1]), at):
        domain = business[-1].partition("@")[2]
        return {"id": f"account::{domain}", "domain": domain}
    kinds = rules.part("accounts").get("kinds", ["business"])
    least = rules.part("accounts").get("min_confidence", 0.6)
    naming = [e for e in person.deeds() if e.company and e.company["kind"] in kinds and e.company["confidence"] >= least]
    found = person.newest(naming)
    if found is None or found.company is None or not rules.counts(found.t, at):
        return None
    return {
        "id": f"account::{found.company['domain']}",
        **{name: found.company[name] for name in ("name", "domain", "kind", "confidence")},
    }


def lead_document(person: Person, lead: Lead, rules: Rules, at: int) -> dict[str, Any]:
    """Return what is known about a lead."""
    score = Score(person, rules)
    falls = score.next_fall(lead, at, None)
    return {
        "id": lead.id,
        "asOf": instant_text(at),
        "members": sorted(member.id for member in person.members),
        "stage": {
            "name": lead.stage["name"],
            "order": lead.stage["order"],
            "enteredAt": instant_text(lead.entered),
            "owner": lead.stage["owner"],
        },
        "score": score.at(at),
        "journey": person.journey(),
        "route": score.route(at, lead.stage["name"]),
        "tags": score.tags(at),
        "account": account(person, rules, at),
        "explain": score.explain(at),
        "nextCrossingAt": instant_text(falls),
        "nextStageIfIdle": below(score, rules, lead, falls),
        "ruleset": {"id": rules.id, "hash": rules.hash},
        **outcomes.told(person),
    }


def visitor_document(visitor: Row, lead: str | None, rules: Rules, at: int) -> dict[str, Any]:
    """Return what is known about one identity."""
    deeds = visitor.now.deeds
    by_behaviour: dict[str, list[tuple[int, float, float]]] = {}
    for event in deeds:
        if event.behaviour is not None:
            by_behaviour.setdefault(event.behaviour, []).append((event.t, event.points, event.half_life))
    rows = [row(f"behaviours.{name}", len(parts), decayed(parts, at)) for name, parts in by_behaviour.items()]
    raw = sum(one["points"] for one in rows)
    rows.append(row("floor", 1, max(0.0, rules.floor - raw)))
    newest = max(visitor.now.events, key=lambda event: (event.t, event.line), default=None)
    named = max((e for e in deeds if e.company), key=lambda event: (event.t, event.line), default=None)
    tags = [{"tag": tag, "weight": decayed(parts, at)} for tag, parts in visitor.now.tags.items()]
    return {
        "id": visitor.id,
        "asOf": instant_text(at),
        "firstSeen": instant_text(min((e.t for e in visitor.now.events), default=None)),
        "lastSeen": instant_text(max((e.t for e in visitor.now.events), default=None)),
        "events": len(visitor.now.events),
        "bot": newest.bot if newest else False,
        "company": named.company if named else None,
        "lead": lead,
        "tags": sorted(tags, key=lambda tag: (-tag["weight"], tag["tag"])),
        "interest": max(float(rules.floor), raw),
        "explain": ordered(rows),
    }
