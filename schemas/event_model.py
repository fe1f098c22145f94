"""The event as it is written down for others: the source of the published JSON Schema, and the judge of what is odd."""

from collections.abc import Callable
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, WrapValidator, model_validator
from pydantic.alias_generators import to_camel

EVENT_TYPES: Final = ("track", "page", "screen", "identify", "group", "alias")


def _ignored_when_wrong(value: object, read: Callable[[object], Any]) -> Any:
    """Read an optional field as absent where its type is wrong: that is never a reason to refuse an event."""
    try:
        return read(value)
    except ValidationError:
        return None


Text = Annotated[str | None, WrapValidator(_ignored_when_wrong)]
Id = Annotated[str | int | float | None, Field(description="a number becomes its shortest decimal")]
Free = dict[str, Any]


class _Open(BaseModel):
    """An object that may have any further members."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True, alias_generator=to_camel)


class ExternalId(_Open):
    """Another identity: its type (`email`, `mobile`, `crm_lead_id`, `wechat_openid` …), its id, its scope."""

    type: Text = None
    id: Id = None
    scope: Text = Field(None, description="needed by `wechat_openid`: the appid")


class Page(_Open):
    """Where it happened."""

    url: Text = None
    path: Text = None
    referrer: Text = None
    title: Text = None
    search: Text = None


class Context(_Open):
    """What surrounds the event."""

    ip: Text = Field(None, description="names a company; truncated before anything is stored")
    user_agent: Text = None
    page: Page | None = None
    campaign: Free | None = None
    traits: Free | None = None
    channel: Text = None
    group_id: Id = None
    external_ids: list[ExternalId] | None = None


Instant = Annotated[
    Text,
    Field(
        description="RFC 3339 with an offset",
        examples=["2026-11-22T10:00:00.000Z"],
        json_schema_extra={"format": "date-time"},
    ),
]


class EventModel(_Open):
    """One event in the shape of the Segment spec. Further members are free and kept in the record."""

    type: Annotated[str, Field(json_schema_extra={"enum": list(EVENT_TYPES)})]
    event: Text = Field(None, description="what was done; `track` needs it")
    message_id: str | None = Field(None, description="repeats of one id from one identity count once")
    anonymous_id: Id = None
    user_id: Id = None
    previous_id: Id = Field(None, description="`alias`: the anonymousId before")
    group_id: Id = None
    properties: Free | None = None
    traits: Free | None = None
    context: Context | None = None
    timestamp: Instant = None
    sent_at: Instant = None
    original_timestamp: Instant = None
    received_at: Instant = None

    @model_validator(mode="after")
    def _track_says_what(self) -> Self:
        if self.type == "track" and not self.event:
            msg = "event: a track needs a non-empty text"
            raise ValueError(msg)
        return self
