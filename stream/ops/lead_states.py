"""What the CRM was told of the leads: enough to let them stand again where the people, or their states, were lost."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import orjson

from stream.domain.ids import node_of
from stream.domain.instants import parse as read_instant
from stream.domain.log import Refused, Restored
from stream.domain.state import NEVER


class _Numbered(msgspec.Struct):
    subject: str
    sequence: str


class _Told(_Numbered):
    type: str


_numbered, _told = msgspec.json.Decoder(_Numbered), msgspec.json.Decoder(_Told)
STANDS, ENDS = "lead.stage_changed.v1", ("lead.merged.v1", "lead.erased.v1")
"""The facts that `lead-states` goes by: it shows the first of them, and nobody after one of the others."""


def newest_numbers(facts: Iterable[bytes]) -> dict[str, int]:
    """Return the greatest sequence of every lead among its facts."""
    numbers: dict[str, int] = {}
    for value in facts:
        fact = _numbered.decode(value)
        numbers[fact.subject] = max(int(fact.sequence), numbers.get(fact.subject, 0))
    return numbers


def shown(facts: Iterable[bytes]) -> dict[str, bytes]:
    """Return what `lead-states` shows of each lead, by its facts in any order; what is no fact shows nothing."""
    newest: dict[str, tuple[int, bytes]] = {}
    for value in facts:
        try:
            fact = _told.decode(value)
        except msgspec.DecodeError:
            continue
        number = int(fact.sequence)
        if fact.type in (STANDS, *ENDS) and number > newest.get(fact.subject, (0, b""))[0]:
            newest[fact.subject] = number, value if fact.type == STANDS else b""
    return {id_: value for id_, (_, value) in newest.items() if value}


def restored(states: Mapping[str, bytes], numbers: Mapping[str, int]) -> list[Restored]:
    """Return every lead as its newest stage change shows it, then those of whom only a number is known.

    `states` are the values of `lead-states` by lead id, `numbers` the newest of all facts.
    """
    leads = [_restored(orjson.loads(value), states, numbers) for _, value in sorted(states.items())]
    known = {lead.lead for lead in leads} | {id_ for lead in leads for id_ in lead.previous}
    return leads + [Restored(id_, number) for id_, number in sorted(numbers.items()) if id_ not in known]


def refused(facts: Iterable[bytes], unshared: Mapping[str, int] | None = None) -> list[Refused]:
    """Return the links that the CRM was told are refused, in the order told; none of a lead that was erased since.

    One without a code shares nothing any more: an operator has ended that, `unshared` says up to when (ms) of which devices.
    """
    ended = unshared or {}
    pairs: dict[tuple[str, str], Refused] = {}
    for value in facts:
        fact = orjson.loads(value)
        if fact["type"] == "identity.conflict.v1":
            (key, other), data = fact["data"]["ids"], fact["data"]
            r = read_instant(fact["recordedtime"])
            code = "" if any(ended.get(node, NEVER) >= r for node in (key, other)) else data["code"]
            pairs[key, other] = Refused(key, other, data["leads"], code)
        elif fact["type"] == "lead.erased.v1":
            pairs = {ids: pair for ids, pair in pairs.items() if fact["subject"] not in pair.leads}
    return list(pairs.values())


def _restored(fact: dict[str, Any], states: Mapping[str, bytes], numbers: Mapping[str, int]) -> Restored:
    data, id_ = fact["data"], fact["subject"]
    lead, stage = data["lead"], data["stage"]
    return Restored(
        id_,
        max(int(fact["sequence"]), numbers.get(id_, 0)),
        members_of(lead),
        {id_: numbers.get(id_, 0) for id_ in lead["previousIds"] if id_ not in states},  # else it is on its own again
        stage["to"]["name"],
        read_instant(stage["enteredAt"]),
        read_instant(data["freshness"]["asOf"]),
    )


def members_of(lead: Mapping[str, Any]) -> list[str]:
    """Return the identities in a fact's lead.

    >>> members_of({"userId": "42", "anonymousIds": ["9f"], "externalIds": [{"type": "email", "id": "a@b.example"}]})
    ['user::42', 'anon::9f', 'email::a@b.example']
    """
    users = [] if lead["userId"] is None else [node_of("user", lead["userId"])]
    others = [node_of(one["type"], one["id"], one.get("scope", "")) for one in lead["externalIds"]]
    return [*users, *(node_of("anon", id_) for id_ in lead["anonymousIds"]), *others]
