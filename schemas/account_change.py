"""What the CRM reads from `account-changes`, and what look-ups answer of accounts."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.stage_change import Account, Count, Finite, Freshness, Move, RulesetRef
from schemas.wire import AccountId, Instant, LeadId, Wire

Confidence = Annotated[float, Field(ge=0, le=1)]


class Company(Account):
    """The company of an account, as its surest evidence says."""

    id: AccountId


class AccountReason(Wire):
    """Why, for programs (`code`, `rule_id`) and for people (`text`)."""

    code: Literal["threshold_up", "threshold_down", "decay", "idle", "merge", "unmerge", "erase", "ruleset_change"]
    rule_id: Annotated[str, Field(pattern=r"^stages\.[\s\S]+$")]
    text: Annotated[str, Field(min_length=1)]


class AccountChangeData(Wire):
    """What moved: `score` is the account's, unrounded, `people` its leads, sorted, at most the first thousand of them."""

    account: Company
    stage: Move
    reason: AccountReason
    score: Finite
    people: Annotated[list[LeadId], Field(max_length=1000)]
    freshness: Freshness


class AccountChange(Wire):
    """An account entered another stage: CloudEvents 1.0, structured JSON; `freshness.offset` counts in `members`."""

    specversion: Literal["1.0"]
    id: Annotated[str, Field(pattern=r"^[\s\S]+-\d{10}$")]
    source: Annotated[str, Field(pattern=r"^/leadstream/.+$")]
    type: Literal["account.stage_changed.v1"]
    subject: AccountId
    time: Instant
    recordedtime: Instant
    sequence: Annotated[str, Field(pattern=r"^\d{10}$")]
    datacontenttype: Literal["application/json"]
    data: AccountChangeData

    @model_validator(mode="after")
    def _id_names_subject_and_sequence(self) -> Self:
        if self.id != f"{self.subject}-{self.sequence}" or self.sequence == "0" * 10:
            msg = f"id {self.id!r} is not the subject, '-' and a sequence of at least 1"
            raise ValueError(msg)
        return self


class Evidence(Wire):
    """One thing that led here: a group call, an e-mail domain or a network, for how many leads and other visitors, since when."""

    source: Literal["group", "email", "address"]
    proof: str
    people: Count
    visitors: Count
    since: Instant
    last: Instant
    confidence: Confidence


class Seat(Wire):
    """What a lead's job says, and how sure that still is."""

    lead: LeadId
    role: str | None
    department: str | None
    confidence: Confidence


class AccountDocument(Wire):
    """What is known about a company: who is there, how much they are worth together, who is missing."""

    id: AccountId
    as_of: Instant
    name: str | None
    domain: str | None
    kind: str | None
    confidence: Confidence
    evidence: list[Evidence]
    stage: str
    score: Finite
    people: list[LeadId]
    anonymous: Count
    committee: dict[str, list[LeadId]]
    missing: list[str]
    departments: dict[str, list[LeadId]]
    seats: list[Seat]
    interest: Finite
    stage_order: Count
    entered_at: Instant | None
    last_activity: Instant | None
    ruleset: RulesetRef


class AccountPage(Wire):
    """One page of accounts, highest score first; `next` is the `after` of the next page, null at the end."""

    accounts: list[AccountDocument]
    next: str | None
