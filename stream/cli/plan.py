"""What a replay sends, and what it leaves out and why."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from stream.cli.letters import Filter
from stream.cli.sent import Sent

BEFORE, EMPTY, CAME_BACK, TWIN = "replayed before", "without content", "replayed as a newer letter", "twice the same record"
TOO_LARGE = "larger than Kafka accepts"


class Seen(NamedTuple):
    """A dead letter without its content; `parent` is the place of the letter whose replay it was, if it was one."""

    partition: int
    offset: int
    at_ms: int
    reason: str
    empty: bool
    parent: str


@dataclass
class Plan:
    """The letters to send, by partition and in their order, and how many are left out for which cause."""

    letters: dict[int, list[Seen]] = field(default_factory=dict)
    skipped: Counter[str] = field(default_factory=Counter)

    @property
    def count(self) -> int:
        """How many letters are to be sent."""
        return sum(map(len, self.letters.values()))


def planned(topic: str, seen: Iterable[Seen], wanted: Filter, sent: Mapping[int, Sent]) -> Plan:
    """Return what is to be sent of all letters there are.

    A letter that came back as a newer one is replayed through that one. Where it came back as several, because it was sent
    twice, only the first of them is: they are one record.
    """
    letters = sorted(seen, key=lambda letter: (letter.at_ms, letter.partition, letter.offset))
    came_back = {letter.parent for letter in letters if letter.parent}
    first: dict[str, Seen] = {}
    for letter in letters:
        if letter.parent:
            first.setdefault(letter.parent, letter)
    plan, meant = Plan(), []
    for letter in letters:
        if not wanted.takes(letter.at_ms, letter.reason):
            continue
        if f"{topic}:{letter.partition}:{letter.offset}" in came_back:
            plan.skipped[CAME_BACK] += 1
        elif letter.parent and first[letter.parent] is not letter:
            plan.skipped[TWIN] += 1
        elif letter.empty:
            plan.skipped[EMPTY] += 1
        else:
            meant.append(letter)
    for letter in sorted(meant[-wanted.limit :], key=lambda letter: (letter.partition, letter.offset)):
        if letter.offset in sent[letter.partition].of(letter.reason):
            plan.skipped[BEFORE] += 1
        else:
            plan.letters.setdefault(letter.partition, []).append(letter)
    return plan
