"""Journeys of people who have one identity each: only of them the contract fixes the whole stage history."""

from dataclasses import dataclass
from random import Random
from typing import Any

from tests.oracle.facts import instant_text
from tests.oracle.journeys import DAY, HOUR, MINUTE, SECOND, Writer


@dataclass
class Alone(Writer):
    """Writes what registered users do, never two identities in one event, received in the order of the lines."""

    users: int = 12

    def who(self) -> dict[str, Any]:
        return {"userId": f"alone-{self.rng.randrange(self.users)}"}

    def user(self, event: dict[str, Any]) -> dict[str, Any]:
        return event | self.who()

    def identify(self) -> dict[str, Any]:
        return {"type": "identify", "traits": self.person_traits(), **self.who()}

    def addressed(self, event: dict[str, Any]) -> dict[str, Any]:
        return self.user(event)

    def by_lead(self) -> dict[str, Any]:
        return self.track()

    def alias(self) -> dict[str, Any]:
        return self.page()

    def junk(self) -> dict[str, Any]:
        return self.track()

    def tick(self) -> None:
        if self.rng.random() < 0.01:
            self.now += self.rng.choice([6 * HOUR, 3 * DAY, 5 * DAY]) + self.rng.choice([-1, 0, 1])
        self.now += int(self.rng.expovariate(1 / self.step))

    def timed(self, event: dict[str, Any], *, plain: bool = False) -> dict[str, Any]:
        rng, now = self.rng, self.now
        late = 0 if plain else rng.choice([0, 0, 0, SECOND, HOUR, int(rng.random() * 10 * DAY), -2 * DAY])
        told = {"receivedAt": instant_text(now), "timestamp": instant_text(now - late)}
        if rng.random() < 0.2:
            told = {"receivedAt": instant_text(now), "sentAt": instant_text(now + 5 * HOUR)}
            told["originalTimestamp"] = instant_text(now + 5 * HOUR - late)
        return event | told


def alone(seed: int, count: int, users: int = 12) -> list[bytes]:
    """Return the lines of a seed; a repeated line, a bad line and a bot are among them."""
    writer = Alone(Random(seed), groups=False, step=20 * MINUTE, users=users)  # noqa: S311 - chance, no secret
    return writer.lines(count)
