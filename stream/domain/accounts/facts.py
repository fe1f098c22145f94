"""What the CRM reads of accounts: CloudEvents 1.0, their bytes a function of the `members` log and the ruleset."""

from collections.abc import Sequence
from typing import Any

from stream.domain import facts
from stream.domain.accounts.account import Account
from stream.domain.facts import Change
from stream.domain.head import OFFSETS
from stream.domain.instants import write as to_text

PEOPLE = 1_000
"""How many leads a fact names; the account's document has them all."""


def stage_changed(app: str, account: Account, change: Change, score: float, people: Sequence[str], offset: int) -> bytes:
    """Return an `account.stage_changed.v1`; the account already stands in the new stage, its sequence is this event's."""
    data = {
        "account": account_block(account),
        "stage": facts.stage_block(change),
        "reason": {"code": change.code, "ruleId": change.rule, "text": change.text},
        "score": score,
        "people": people[:PEOPLE],
        "freshness": {"asOf": to_text(account.as_of), "offset": offset & OFFSETS},
    }
    return facts.envelope(app, "account.stage_changed.v1", account, change.at, change.recorded, data)


def account_block(account: Account) -> dict[str, Any]:
    """Return the company, as the highest authority that stands says."""
    told = account.told_best()
    return {
        "id": account.id,
        "name": told.name or account.id.partition(":")[2].rpartition(":")[2],
        "domain": told.domain,
        "kind": told.kind or None,
        "confidence": told.confidence,
    }
