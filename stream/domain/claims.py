"""What says for which company somebody works: a group call, a business e-mail address, an address block. In this order.

A claim grows old ([freshness]): one that is too old for an instant names nobody there, and the next one is asked.
"""

from typing import Any, NamedTuple

from stream.domain.event import Company
from stream.domain.freshness import ALWAYS, confidence, counts, counts_until
from stream.domain.ruleset.model import Freshness

SOURCES = ("group", "email", "address")
"""Highest authority first."""


class Claim(NamedTuple):
    """One reason for an account: its source, the proof (group id, e-mail domain, network), and when it was told last (ms)."""

    source: str
    proof: str
    told_at: int
    account: dict[str, Any]

    def confidence(self, rules: Freshness | None, at: int) -> float:
        """Return how sure the claim is at `at`: as sure as its source, less what time took."""
        sure: float = self.account["confidence"]
        return sure * confidence(rules, self.told_at, at)


def standing(claims: list[Claim], rules: Freshness | None, at: int) -> list[Claim]:
    """Return the claims that still count at `at`, for the account that the first of them names, best first."""
    fresh = [claim for claim in claims if counts(rules, claim.told_at, at)]
    return [claim for claim in fresh if claim.account["id"] == fresh[0].account["id"]]


def stand_until(claims: list[Claim], rules: Freshness | None) -> int:
    """Return the first ms at which one of the claims counts no longer; `ALWAYS` where that never comes."""
    if rules is None or not claims:
        return ALWAYS
    return counts_until(rules, min([claim.told_at for claim in claims]))


def account_of(company: Company) -> str:
    """Return the id of the account that an address of a company names.

    >>> account_of(Company("Acme", "ACME.example", "business", 1.0, "ranges", "192.0.2.0/24", ""))
    'account::acme.example'
    """
    return f"account::{company.domain.lower()}" if company.domain else f"account:name:{company.name.lower()}"
