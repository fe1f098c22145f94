"""What all wire models share: names as they are written, and the few texts with a shape of their own."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

Instant = Annotated[
    str,
    Field(
        pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$",
        description="RFC 3339, UTC, milliseconds",
        examples=["2026-11-22T10:00:00.000Z"],
    ),
]
LeadId = Annotated[str, Field(pattern=r"^lead_[0-9a-f]{16}$", examples=["lead_0687587883fab020"])]
NodeId = Annotated[
    str,
    Field(pattern=r"^[^:]+:[^:]*:[\s\S]+$", description="a source identity, kind:scope:value", examples=["anon::9f2c"]),
]
AccountId = Annotated[
    str,
    Field(
        pattern=r"^account:(|group|name):[\s\S]+$",
        description="by domain, by the id of a group call, or by the name alone where an address block's holder has no domain",
        examples=["account::acme.example", "account:group:42", "account:name:acme ltd"],
    ),
]


class Wire(BaseModel):
    """A JSON object of ours: members in the order of the fields, none missing, none unknown.

    The models are closed, so that no member leaves unnoticed; the generated JSON Schemas are open, because a reader of
    version 1 must live with members that are added to version 1.
    """

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        alias_generator=to_camel,
        validate_by_alias=True,
        validate_by_name=True,
        serialize_by_alias=True,
    )
