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


class Deal(Wire):
    """The newest deal of its kind that the CRM told of, by its own time."""

    at: Instant
    amount: Finite | None
    currency: str | None
    reason: str | None


class OrderSum(Wire):
    """The orders of one currency."""

    count: Count
    total: Finite


class Orders(Wire):
    """The orders that the CRM told of; `currencies` by ISO code, `XXX` where none was told."""

    count: Count
    last_at: Instant | None
    currencies: dict[str, OrderSum]


class LeadOutcomes(Wire):
    """What became of the lead in the CRM."""

    won: Deal | None
    lost: Deal | None
    orders: Orders


class LeadDocument(Wire):
    """What is known about one person; `explain` sums to `score.total`, `owner` is who has the lead in the CRM."""

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
    owner: str | None = None
    outcomes: LeadOutcomes | None = None


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
    status: Annotated[str, Field(examples=["OK", "WARN", "STALL", "REWIND", "STOP"])]
    committed: Count | None = None
    end: Count | None = None
    lag: Count | None
    lag_seconds: Annotated[float, Field(ge=0)] | None


class GroupLag(Wire):
    """A consumer group of somebody else's that reads our topics: the worst of its partitions (`ERR`: one of them stands, stopped
    or went back), and how much is known of its last commits, from 0 to 1.
    """  # noqa: D205 -- one thought

    group: str
    status: Annotated[str, Field(examples=["OK", "WARN", "ERR"])]
    complete: Annotated[float, Field(ge=0, le=1)]
    partitions: list[PartitionLag]


class Lag(Wire):
    """Every partition's lag, and which partition of `events` holds the clock of the people, since when (null: not known)."""

    partitions: list[PartitionLag]
    clock_partition: Count | None
    clock_lag_seconds: Annotated[float, Field(ge=0)] | None
    clock_since: Instant | None = None
    status: Annotated[str, Field(examples=["OK", "WARN", "ERR"])] = "OK"
    groups: list[GroupLag] = Field([])


class Problem(Wire):
    """The answer to a request that cannot be served."""

    error: str
