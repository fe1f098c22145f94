"""What the CRM reads from `stage-changes` and `lead-states`: CloudEvents 1.0, structured JSON.

Members stand in the order of the fields. Within one version members are only added; anything else is a new `type`.
"""

import math
from typing import Annotated, Any, Literal, Self

from pydantic import Field, TypeAdapter, model_validator

from schemas.wire import AccountId, Instant, LeadId, NodeId, Wire

CONTENT_TYPE = "application/cloudevents+json"

ReasonCode = Literal["threshold_up", "threshold_down", "decay", "idle", "crm", "merge", "unmerge", "ruleset_change"]
RuleId = Annotated[str, Field(pattern=r"^((behaviours|sequences|timing|fit|stages)\.[\s\S]+|idle|floor)$")]
Journey = Literal["awareness", "consideration", "decision"]
Count = Annotated[int, Field(ge=0)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class ExternalId(Wire):
    """One more identity of a lead: `type` is its kind, `scope` is there only where the kind has one."""

    type: str
    id: str
    scope: str | None = Field(default=None, exclude_if=lambda scope: scope is None)


class Lead(Wire):
    """Who moved: ids by which a CRM can find the person, and the traits the ruleset lets out. Lists are sorted."""

    id: LeadId
    user_id: str | None
    anonymous_ids: list[str]
    external_ids: list[ExternalId]
    previous_ids: list[LeadId]
    traits: dict[str, Any]


class Account(Wire):
    """The company of a lead, by the highest authority among its members: group, then e-mail, then IP."""

    id: AccountId
    name: str | None
    domain: str | None
    kind: str | None
    confidence: Annotated[float, Field(ge=0, le=1)]


class StageRef(Wire):
    """A stage with its place on the ladder; 0 is "visitor"."""

    name: str
    order: Count


class Move(Wire):
    """From where to where; `time_in_previous_ms` is null for a lead's first change."""

    from_: StageRef = Field(alias="from")
    to: StageRef
    direction: Literal["up", "down", "same"]
    entered_at: Instant
    time_in_previous_ms: Count | None

    @model_validator(mode="after")
    def _direction_follows_order(self) -> Self:
        rise = self.to.order - self.from_.order
        if self.direction != ("up" if rise > 0 else "down" if rise < 0 else "same"):
            msg = f"direction {self.direction!r} does not follow the orders {self.from_.order} and {self.to.order}"
            raise ValueError(msg)
        return self


class Reason(Wire):
    """Why, for programs (`code`, `rule_id`) and for people (`text`)."""

    code: ReasonCode
    rule_id: Annotated[str, Field(pattern=r"^stages\.[\s\S]+$")]
    text: Annotated[str, Field(min_length=1)]


class Score(Wire):
    """The score and its parts, unrounded; when the stage changes next if no event comes (null: never), and to which."""

    total: Finite
    fit: Finite
    interest: Finite
    timing: Finite
    grade: str
    next_crossing_at: Instant | None
    next_stage_if_idle: str | None


class Contribution(Wire):
    """One line of the ledger: `count` events of this rule give `points` now."""

    rule_id: RuleId
    count: Count
    points: Finite


class Tag(Wire):
    """A topic and its decayed weight."""

    tag: str
    weight: Finite


class RulesetRef(Wire):
    """Which rules decided: `hash` is the first 16 hex digits of the file's SHA-256."""

    id: str
    hash: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]


class Freshness(Wire):
    """What had been read: the lead's clock and the offset in `people` (in `simulate`: the line)."""

    as_of: Instant
    offset: Count


class StageChangeData(Wire):
    """All that a CRM needs to act on and to explain one stage change."""

    lead: Lead
    account: Account | None
    stage: Move
    reason: Reason
    score: Score
    explain: list[Contribution]
    tags: Annotated[list[Tag], Field(max_length=10)]
    route: str
    journey: Journey | None
    ruleset: RulesetRef
    freshness: Freshness

    @model_validator(mode="after")
    def _ledger_sums_to_total(self) -> Self:
        total = math.fsum(row.points for row in self.explain)
        if not math.isclose(total, self.score.total, rel_tol=0, abs_tol=1e-6):
            msg = f"explain sums to {total}, not to score.total {self.score.total}"
            raise ValueError(msg)
        return self


class CloudEvent(Wire):
    """The envelope: `id` = `subject` `-` `sequence`, ten digits counted from 1 per subject over all types."""

    specversion: Literal["1.0"]
    id: Annotated[str, Field(pattern=r"^.+-\d{10}$")]
    source: Annotated[str, Field(pattern=r"^/leadstream/.+$")]
    type: str
    subject: LeadId
    time: Instant
    recordedtime: Instant
    sequence: Annotated[str, Field(pattern=r"^\d{10}$")]
    datacontenttype: Literal["application/json"]

    @model_validator(mode="after")
    def _id_names_subject_and_sequence(self) -> Self:
        if self.id != f"{self.subject}-{self.sequence}" or self.sequence == "0" * 10:
            msg = f"id {self.id!r} is not the subject, '-' and a sequence of at least 1"
            raise ValueError(msg)
        return self


class StageChange(CloudEvent):
    """A lead entered another stage, or took one over at a merge."""

    type: Literal["lead.stage_changed.v1"]
    data: StageChangeData


class LeadRef(Wire):
    """A lead by its id alone."""

    id: LeadId


class MergedData(Wire):
    """The lead that ends, and the one that goes on."""

    lead: LeadRef
    into: LeadId


class Merged(CloudEvent):
    """Two leads became one; the subject is the one that ends."""

    type: Literal["lead.merged.v1"]
    data: MergedData


class UnmergedData(Wire):
    """The lead that is on its own again, and the one it left."""

    lead: Lead
    from_: LeadId = Field(alias="from")


class Unmerged(CloudEvent):
    """A lead was split off; the subject is the one that is on its own again."""

    type: Literal["lead.unmerged.v1"]
    data: UnmergedData


class ErasedData(Wire):
    """The lead that is forgotten."""

    lead: LeadRef


class Erased(CloudEvent):
    """A lead was erased: delete what you keep of it."""

    type: Literal["lead.erased.v1"]
    data: ErasedData


class ConflictData(Wire):
    """The pair of identities that was not linked, the leads they belong to, in the same order, and why."""

    ids: Annotated[list[NodeId], Field(min_length=2, max_length=2)]
    leads: Annotated[list[LeadId], Field(max_length=2)]
    code: Literal["class_a", "max_members"]


class Conflict(CloudEvent):
    """A link was refused: somebody should look."""

    type: Literal["identity.conflict.v1"]
    data: ConflictData


LeadEvent = Annotated[StageChange | Merged | Unmerged | Erased | Conflict, Field(discriminator="type")]
"""Everything that can stand in `stage-changes`."""

lead_events: TypeAdapter[StageChange | Merged | Unmerged | Erased | Conflict] = TypeAdapter(LeadEvent)
