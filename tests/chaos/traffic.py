"""Seeded traffic that goes wrong in every way real traffic does."""

import json
from collections import deque
from dataclasses import dataclass
from random import Random
from typing import Any

from stream.domain.ids import lead_id
from stream.domain.instants import write as to_text
from tests.kafka.poison import POISONS

DAY = 86_400_000
DUPLICATES, LATE, POISON, SKEWED, MISPLACED, HOT = 0.05, 0.10, 0.01, 0.10, 0.02, 0.10
PLACES = ("https://x.example/products/a", "https://x.example/pricing", "https://x.example/blog/x")
TRACKS = ("Trial Started", "Meeting Attended", "Broadcast Watched", "Unsubscribed", "Whatever")
STAGES = ("lead", "mql", "opportunity", "customer", "visitor")
BOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
SMALL = [poison.value for poison in POISONS if len(poison.value or b"") < 100_000]


@dataclass(frozen=True)
class Made:
    """A record to send."""

    key: bytes
    value: bytes | None


class Traffic:
    """Records of a few known people, who keep running into each other, among many cookies."""

    def __init__(self, seed: str, users: int = 40, cookies: int = 300) -> None:
        self._chance, self._seed, self._users, self._cookies = Random(seed), seed, users, cookies  # noqa: S311 - no secret
        self._recent: deque[Made] = deque(maxlen=30)
        self._count = 0

    def next(self, now_ms: int) -> Made:
        """Return the next record, made at this instant."""
        self._count += 1
        roll = self._chance.random()
        if roll < DUPLICATES and self._recent:
            return self._chance.choice(self._recent)
        if roll < DUPLICATES + POISON:
            return Made(self._key("anon::bad"), self._chance.choice(SMALL))
        key, event = self._event()
        self._time(event, now_ms)
        made = Made(self._key(key), json.dumps(event).encode())
        self._recent.append(made)
        return made

    def _key(self, key: str) -> bytes:
        return f"wrong:{self._chance.random()}:{key}".encode() if self._chance.random() < MISPLACED else key.encode()

    def _time(self, event: dict[str, Any], now: int) -> None:
        chance = self._chance
        event["messageId"] = f"{self._seed}-{self._count}"
        late, roll = 0, chance.random()
        if chance.random() < LATE:
            late = int(chance.random() ** 3 * 30 * DAY)
        if roll < SKEWED:
            skew = int((chance.random() - 0.5) * 4 * DAY)
            event["sentAt"], event["originalTimestamp"] = to_text(now + skew), to_text(now + skew - late)
        elif roll < 2 * SKEWED:
            event["timestamp"] = to_text(now - late + int((chance.random() - 0.5) * 4 * DAY))
        elif roll < 0.9 or late:
            event["timestamp"] = to_text(now - late)
        if chance.random() < 0.2:
            event["receivedAt"] = to_text(now - int(chance.random() * 500))
        elif chance.random() < 0.003:
            event["receivedAt"] = to_text(now - int(chance.random() * DAY))  # a collector that was cut off

    def _event(self) -> tuple[str, dict[str, Any]]:
        """Return key and body."""
        chance, roll = self._chance, self._chance.random()
        if roll < HOT:
            return self._anonymous("hot")
        if roll < 0.6:
            return self._anonymous(f"c{chance.randrange(self._cookies)}")
        if roll < 0.65:
            return self._moved()
        if roll < 0.68:
            return self._single()
        if roll < 0.75:
            return self._by_mail()
        return self._known()

    def _deed(self) -> dict[str, Any]:
        chance = self._chance
        if chance.random() < 0.4:
            event: dict[str, Any] = {"type": "page"}
        else:
            event = {"type": "track", "event": chance.choice(TRACKS)}
        event["context"] = {"page": {"url": chance.choice(PLACES)}, "ip": f"203.0.113.{chance.randrange(255)}"}
        if chance.random() < 0.2:
            event["properties"] = {"topics": [f"topic {chance.randrange(6)}"]}
        if chance.random() < 0.02:
            event["context"]["userAgent"] = BOT
        return event

    def _anonymous(self, cookie: str) -> tuple[str, dict[str, Any]]:
        return f"anon::{cookie}", self._deed() | {"anonymousId": cookie}

    def _user(self) -> str:
        return f"u{int(self._users * self._chance.random() ** 2)}"

    def _mail(self, user: str) -> str:
        """Return the user's address, now and then somebody else's."""
        return f"{self._user() if self._chance.random() < 0.04 else user}@acme.example"

    def _known(self) -> tuple[str, dict[str, Any]]:
        chance, user = self._chance, self._user()
        event = self._deed() | {"userId": user}
        if chance.random() < 0.3:  # a cookie of one's own, or one of those that everybody uses
            own = 10 + hash_of(user, chance.randrange(3), self._cookies - 10)
            event["anonymousId"] = f"c{own if chance.random() < 0.9 else chance.randrange(10)}"
        if chance.random() < 0.25:
            event["type"] = "identify"
            event["traits"] = {"email": self._mail(user), "title": chance.choice(["Head of IT", "Boss"])}
            if chance.random() < 0.5:
                event["traits"]["bant"] = {"budget": chance.random() < 0.5}
        elif chance.random() < 0.1:
            event["context"]["externalIds"] = [{"type": "crm_lead_id", "id": f"Q{user}"}]
        return f"user::{user}", event

    def _single(self) -> tuple[str, dict[str, Any]]:
        """Return what somebody does who has one identity only: `events` alone decide about them. New ones keep coming."""
        user = f"s{self._count // 400}-{self._chance.randrange(4)}"
        return f"user::{user}", self._deed() | {"userId": user}

    def _by_mail(self) -> tuple[str, dict[str, Any]]:
        """Return what an address does: a lead of its own until its user says whose it is."""
        mail = self._mail(self._user())
        event = self._deed()
        event["context"]["externalIds"] = [{"type": "email", "id": mail}]
        return f"email::{mail}", event

    def _moved(self) -> tuple[str, dict[str, Any]]:
        """Return a CRM's word, by lead id, by its own id or by the user's."""
        chance, user = self._chance, self._user()
        properties = {"stage": chance.choice(STAGES)} | ({"changedBy": "leadstream"} if chance.random() < 0.1 else {})
        event: dict[str, Any] = {"type": "track", "event": "Lead Stage Changed", "properties": properties}
        which = chance.random()
        if which < 0.4:
            lead = lead_id(f"user::{user}")
            return f"lead::{lead}", event | {"context": {"externalIds": [{"type": "lead", "id": lead}]}}
        if which < 0.7:
            return f"crm::Q{user}", event | {"context": {"externalIds": [{"type": "crm_lead_id", "id": f"Q{user}"}]}}
        return f"user::{user}", event | {"userId": user}


def hash_of(user: str, which: int, count: int) -> int:
    """Return one of the few cookies that a user has."""
    return (int(user[1:]) * 7 + which * 31) % count
