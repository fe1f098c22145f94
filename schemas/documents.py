"""What look-ups answer: the documents of `GET /v1/…`, of `--json`, and of `simulate`."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from schemas.dead_letter import RefusedLine
from schemas.stage_change import Account, Contribution, Count, Finite, Journey, LeadEvent, RulesetRef, Tag
from schemas.wire import Instant, LeadId, NodeId, Wire


class VisitorCompany(Wire):
    """Who holds the address of a visitor's newest event whose address resolved, and who says so.

    Columns of a ranges file come behind these members.
    """

    model_config = ConfigDict(extra="allow")

    name: str
    domain: str | None
    kind: str
    confidence: Annotated[float, Field(ge=0, le=1)]
    source: str
    network: str
    as_of: str | None = Field(alias="as_of")


class Visitor(Wire):
    """What is known under one source identity; `first_seen` and `last_seen` are null before its first event."""

    id: NodeId
    as_of: Instant
    first_seen: Instant | None
    last_seen: Instant | None
    events: Count
    bot: bool
    company: VisitorCompany | None
    lead: LeadId | None
    tags: list[Tag]
    interest: Finite
    explain: list[Contribution]


class Standing(Wire):
    """The stage a lead is in; `entered_at` is null before its first change."""

    name: str
    order: Count
    entered_at: Instant | None
    owner: Literal["engine", "crm"]


class Points(Wire):
    """The score and its parts, unrounded."""

    total: Finite
    fit: Finite
    interest: Finite
    timing: Finite
    grade: str


class LeadDocument(Wire):
    """What is known about one person; `explain` sums to `score.total`."""

    id: LeadId
    as_of: Instant
    members: list[NodeId]
    stage: Standing
    score: Points
    journey: Journey | None
    route: str
    tags: list[Tag]
    account: Account | None
    explain: list[Contribution]
    next_crossing_at: Instant | None
    next_stage_if_idle: str | None
    ruleset: RulesetRef


class LeadPage(Wire):
    """One page of leads; `next` is the `after` of the next page, null at the end."""

    leads: list[LeadDocument]
    next: LeadId | None


class Simulation(Wire):
    """All that one run of the rules over a file comes to."""

    visitors: list[Visitor]
    leads: list[LeadDocument]
    stage_changes: list[LeadEvent]
    dead_letters: list[RefusedLine]


class PartitionLag(Wire):
    """How far one partition is behind: in records, and in seconds (null: not known yet)."""

    topic: str
    partition: Count
    status: Annotated[str, Field(examples=["OK", "WARN", "STOP"])]
    committed: Count | None = None
    end: Count | None = None
    lag: Count | None
    lag_seconds: Annotated[float, Field(ge=0)] | None


class Lag(Wire):
    """Every partition's lag, and which partition of `events` holds the clock of the people (null: no clock yet)."""

    partitions: list[PartitionLag]
    clock_partition: Count | None
    clock_lag_seconds: Annotated[float, Field(ge=0)] | None


class Problem(Wire):
    """The answer to a request that cannot be served."""

    error: str
