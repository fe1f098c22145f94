"""Matches an event against all rules with a few look-ups.

All keys together give a number (`columns`), and the number says which rules match, which is remembered too.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from stream.domain.event import Event
from stream.domain.ruleset.columns import LONGEST_TEXT, REMEMBERED, Column, Columns
from stream.domain.ruleset.interest import Behaviours
from stream.domain.ruleset.model import Match, Topic
from stream.domain.ruleset.topics import Source, Tag, Where
from stream.domain.ruleset.values import Reader, reader

LONGEST_TAG = 64
Given = tuple[tuple[Any, ...], ...]
"""What an event says where the `from` rules look, in their order; only the texts among it count."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a combination of conditions means: the match without tags of `from` rules, and which of these look."""

    match: Match
    tags: tuple[Tag, ...]
    sources: tuple[tuple[Reader, float], ...]


class Matcher:
    """`match(event)` gives its Match: the first touch point, the first behaviour, every tag once."""

    def __init__(
        self,
        where: Iterable[Where],
        behaviours: Behaviours,
        tags: Iterable[Tag],
        sources: Iterable[Source],
        default_half_life_ms: float,
    ) -> None:
        """Compile the rules of a file, each kind in file order."""
        columns = Columns(("type", "event"))  # the keys that nearly every rule asks for
        self._where = [(columns.mask(rule.pairs), rule.weight) for rule in where]
        self._behaviours = [(columns.mask(pairs), behaviour) for pairs, behaviour in behaviours]
        self._tags = [(columns.mask(tag.pairs), tag) for tag in tags]
        self._sources = [(columns.mask(rule.pairs), (reader(rule.key), rule.half_life_ms)) for rule in sources]
        default_ms = self._sources[0][1][1] if self._sources else default_half_life_ms
        self._half_lives = {tag.name: default_ms if tag.half_life_ms is None else tag.half_life_ms for _, tag in self._tags}
        self._plans: dict[int, Plan] = {}
        self._named: dict[tuple[int, Given], Match] = {}
        self._shapes: dict[tuple[Any, ...], int] = {}
        self._split(columns.by_key)

    def _split(self, by_key: dict[str, Column]) -> None:
        """Sort the keys by how they are read: members of the event, properties, everything else."""
        plain = [key for key in by_key if "." not in key]
        self._members = attrgetter(*plain)
        self._member_columns = [by_key[key] for key in plain]
        self._properties: dict[str, Column] = {}
        self._others: list[tuple[Reader, Column]] = []
        for key, column in by_key.items():
            first, _, name = key.partition(".")
            if first == "properties" and "." not in name:
                self._properties[name] = column
            elif name:
                self._others.append((reader(key), column))

    def match(self, event: Event) -> Match:
        """Match an event."""
        members = self._members(event)
        mask = self._shapes.get(members)
        if mask is None:
            mask = self._learn_shape(members)
        if self._properties and event.properties:
            mask |= self._asked(event.properties)
        for read, column in self._others:
            value = read(event)
            if value is not None:
                mask |= column.bits(value)
        plan = self._plans.get(mask) or self._learn(mask)
        if not plan.sources:
            return plan.match
        given: Given = ()
        for read, _ in plan.sources:
            given += (_texts(read(event)),)
        try:
            known = self._named.get((mask, given))
        except TypeError:  # an object stands among the texts
            known = None
        return known or self._learn_named(mask, plan, given)

    def _asked(self, properties: dict[str, Any]) -> int:
        """Return what the properties say that some rule asks for; a page has few, rules ask for many."""
        mask = 0
        for name in properties.keys() & self._properties.keys():
            mask |= self._properties[name].bits(properties[name])
        return mask

    def _learn_shape(self, members: tuple[str | None, ...]) -> int:
        """Remember what the event's own members (type, event, url ...) say together."""
        mask, length = 0, 0
        for column, value in zip(self._member_columns, members, strict=True):
            if value is not None:
                mask |= column.bits(value)
                length += len(value)
        if length <= LONGEST_TEXT:
            if len(self._shapes) >= REMEMBERED:
                self._shapes.clear()
            self._shapes[members] = mask
        return mask

    def _learn(self, mask: int) -> Plan:
        where = next((weight for needs, weight in self._where if needs & mask == needs), 1.0)
        behaviour = next((rule for needs, rule in self._behaviours if needs & mask == needs), None)
        tags: tuple[Tag, ...] = ()
        sources: tuple[tuple[Reader, float], ...] = ()
        if behaviour is not None:
            tags = tuple(tag for needs, tag in self._tags if needs & mask == needs)
            sources = tuple(source for needs, source in self._sources if needs & mask == needs)
        topics = tuple(Topic(tag.name, self._half_lives[tag.name]) for tag in tags)
        plan = Plan(Match(where, behaviour, topics), tags, sources)
        if len(self._plans) >= REMEMBERED:
            self._plans.clear()
        self._plans[mask] = plan
        return plan

    def _learn_named(self, mask: int, plan: Plan, given: Given) -> Match:
        match = Match(plan.match.where, plan.match.behaviour, self._topics(plan, given))
        texts = [text for some in given for text in some]
        if all(isinstance(text, str) for text in texts) and sum(map(len, texts)) <= LONGEST_TEXT:
            if len(self._named) >= REMEMBERED:
                self._named.clear()
            self._named[mask, given] = match
        return match

    def _topics(self, plan: Plan, given: Given) -> tuple[Topic, ...]:
        """Join the explicit tags and those of the `from` rules; of two that name any other the first says how it fades."""
        half_lives = {tag.name: self._half_lives[tag.name] for tag in plan.tags}
        for (_, half_life_ms), texts in zip(plan.sources, given, strict=True):
            for text in texts:
                name = text.strip().lower() if isinstance(text, str) else ""
                if 1 <= len(name) <= LONGEST_TAG:
                    half_lives.setdefault(name, self._half_lives.get(name, half_life_ms))
        return tuple(Topic(name, half_life_ms) for name, half_life_ms in half_lives.items())


def _texts(value: Any) -> tuple[Any, ...]:
    if isinstance(value, list):
        return tuple(value)
    return (value,) if isinstance(value, str) else ()
