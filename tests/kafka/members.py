"""What Kafka holds of accounts, against the `members` log folded again in one pass, and against whom it should tell of."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import orjson
import pytest

from stream.agents.anonymous import counted_in
from stream.domain import decay
from stream.domain.accounts.document import account
from stream.domain.accounts.fold import Accounts
from stream.domain.accounts.member import account_of
from stream.domain.log import Members, NewRuleset, Tick, Unreadable, decode
from stream.domain.people import People
from stream.domain.ruleset.model import Ruleset
from stream.domain.visitor import Visitor
from stream.runtime.producer import partition_of
from stream.runtime.resume import MARK_KEY
from tests.brokers import Record
from tests.kafka.replay import META, Logs, Verdict, newest_rows

_BODY = 9


def verify_accounts(installation: Logs, partitions: int, rules: Ruleset, verdict: Verdict) -> None:
    """Compare accounts, what was told to them and what they told with the logs; `verdict` knows visitors and people."""
    assert verdict.people is not None
    changelog = installation.read(f"{installation.app}-accounts-changelog")
    members = [record for record in installation.read("members") if _is_own(record, verdict)]
    _compare_members(members, verdict.people, partitions, verdict)
    told: dict[str, bytes] = {}
    folds: list[Accounts] = []
    for partition in range(partitions):
        held = newest_rows(record for record in changelog if record.partition == partition)
        fold = Accounts({}, installation.app, rules)
        _fold(fold, (record for record in members if record.partition == partition), held, told)
        wanted = {key: row[_BODY:] for key, row in fold.cut()}
        found = {key: row[_BODY:] for key, row in held.items() if not key.startswith(MARK_KEY)}
        for key in wanted.keys() | found.keys():
            what = f"accounts-{partition} {key!r}: {found.get(key)!r} should be {wanted.get(key)!r}"
            verdict.note(wrong=wanted.get(key) != found.get(key) and bool(held), what=what)
        verdict.rows += len(wanted)
        folds.append(fold)
    _compare_facts(installation.read("account-changes"), told, partitions, verdict)
    compare_worth(folds, verdict.visitors, verdict.people, verdict)


def _is_own(record: Record, verdict: Verdict) -> bool:
    try:
        decode(record.value or b"")
    except Unreadable as error:
        verdict.note(wrong=True, what=f"members {record.partition}:{record.offset}: {error}")
        return False
    return True


def _compare_members(records: Iterable[Record], people: People, partitions: int, verdict: Verdict) -> None:
    """What people told stands there, as it must be, where its key belongs; else there are anonymous visitors and ticks."""
    assert people.membership is not None
    wanted = {(out.key or None, out.value) for out in people.membership.out}
    seen = set()
    for record in records:
        told, place = decode(record.value or b""), f"members {record.partition}:{record.offset}"
        verdict.note(wrong=bool(record.key) and partition_of(record.key or b"", partitions) != record.partition, what=place)
        if isinstance(told, Members) and all(member.id.startswith("v_") and not member.final for member in told.changed):
            continue
        if isinstance(told, Members | NewRuleset):
            seen.add((record.key, record.value))
        elif not isinstance(told, Tick):
            verdict.note(wrong=True, what=f"{place}: {told!r} was never told")
    for one in seen ^ wanted:
        verdict.note(wrong=True, what=f"members: {'lost' if one in wanted else 'never told'}: {decode(one[1] or b'')!r}")


def _fold(fold: Accounts, records: Iterable[Record], held: Mapping[bytes, bytes], told: dict[str, bytes]) -> None:
    until = int.from_bytes(held[META][1:_BODY], "big") if META in held else 0
    for record in records:
        if record.offset < until:
            fold.apply(record.offset, record.value or b"")
    fold.log.next = until
    told |= {orjson.loads(out.value or b"")["id"]: out.value or b"" for out in fold.out}


def _compare_facts(records: Iterable[Record], told: Mapping[str, bytes], partitions: int, verdict: Verdict) -> None:
    """Each fact is there, perhaps more than once, always with the same bytes, where its account's key belongs; and no other."""
    seen = set()
    for record in records:
        value = record.value or b""
        fact = orjson.loads(value)
        verdict.repeated += fact["id"] in seen
        seen.add(fact["id"])
        verdict.note(wrong=told.get(fact["id"]) != value, what=f"{fact['id']} should be {told.get(fact['id'])!r}: {value!r}")
        key = record.key or b""
        placed = key == fact["subject"].encode() and partition_of(key, partitions) == record.partition
        verdict.note(wrong=not placed, what=f"{fact['id']} stands under {key!r} in {record.partition}")
    verdict.facts += len(told)
    for id_ in told.keys() - seen:
        verdict.note(wrong=True, what=f"{id_} is missing in account-changes")


def compare_worth(folds: Sequence[Accounts], visitors: Mapping[bytes, Visitor], people: People, verdict: Verdict) -> None:
    """Each account is worth what its leads and the visitors who are nobody's are, as of one instant behind all of them.

    What a shared device brought is told by its next snapshot. The people's clock may go back, what it took from leads does not.
    """
    rules = people.rules
    clocks = [row.state.as_of for row in visitors.values()] + [person.as_of for person in people.rows.persons()]
    clocks += [held.as_of for fold in folds for id_ in fold.rows.ids() if (held := fold.rows.account(id_)) is not None]
    at = max(clocks, default=0) + 1
    wanted: dict[str, float] = defaultdict(float)
    for person in people.rows.persons():
        view = people.leads.view(person)
        known = view.profile.account(max(person.as_of, person.aged, people.clock or 0)) if person.identified else None
        if known is not None:
            wanted[known["id"]] += view.outlook(person.as_of).part("total", at)
    for key, row in visitors.items():
        node = key.decode()
        alone = account_of(row.state) if _is_alone(node, row, people) else ""
        if alone:
            wanted[alone] += rules.accounts.anonymous * _interest(node, row, people, rules, at)
    shown = {id_: account(fold, id_, at) for fold in folds for id_ in fold.rows.ids()}
    for id_ in wanted.keys() | shown.keys():
        document = shown.get(id_)
        score = 0.0 if document is None else document["score"]
        same = score == pytest.approx(wanted.get(id_, 0.0), rel=1e-9, abs=1e-6)
        verdict.note(wrong=not same, what=f"{id_} is worth {score}, should be {wanted.get(id_, 0.0)}")


def _is_alone(node: str, row: Visitor, people: People) -> bool:
    if not row.listened:
        return bool(counted_in(row))
    identity = people.rows.identity(node)
    if identity is None or node.startswith("lead:"):
        return False
    if identity.shared:
        return bool(identity.counted)
    owner = people.rows.person(identity.person) if identity.person else None
    return owner is None or not owner.identified


def _interest(node: str, row: Visitor, people: People, rules: Ruleset, at: int) -> float:
    identity = people.rows.identity(node)
    points = sum(decay.worth(row.state.points, row.state.landmark, at).values())
    if identity is not None and identity.shared:
        points -= sum(decay.worth(identity.state.points, identity.state.landmark, at).values())
    return max(rules.floor, points)
