"""What `dead-letters` holds: the original bytes as value, and headers that say why they could not be used."""

from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field

from schemas.wire import Instant, Wire

PREFIX = "leadstream-"

ReasonCode = Literal[
    "too_large",
    "not_json",
    "not_an_object",
    "schema_violation",
    "unknown_type",
    "no_identity",
    "bad_timestamp",
    "erased",
]
Digits = Annotated[str, Field(pattern=r"^\d+$")]


def _header(field: str) -> str:
    return PREFIX + field.replace("_", "-")


class DeadLetter(Wire):
    """The headers of a dead letter, all text.

    `reason` names the first check that failed, `stage` where, `topic`, `partition` and `offset` the record it was,
    `version` the release that refused it, `first_seen` that record's Kafka timestamp.

    Of a record that is more than Kafka takes from us, `cut` names what the letter lacks, the `headers` of others or the `value`
    with them and the key, and `size` tells about how many bytes it had.
    """

    model_config = ConfigDict(alias_generator=_header)

    reason: ReasonCode
    message: str
    stage: Literal["decode", "validate", "identify", "apply"]
    topic: str
    partition: Digits
    offset: Digits
    version: str
    first_seen: Instant
    cut: Literal["headers", "value"] | None = None
    size: Digits | None = None

    @classmethod
    def read(cls, headers: Iterable[tuple[str, bytes]]) -> Self:
        """Return the model of a Kafka record's headers; headers of others are passed over."""
        ours = {_header(field) for field in cls.model_fields}
        return cls.model_validate({name: value.decode() for name, value in headers if name in ours})

    def headers(self) -> list[tuple[str, bytes]]:
        """Return the Kafka headers, in the order of the fields."""
        return [(name, str(value).encode()) for name, value in self.model_dump(exclude_none=True).items()]


class RefusedLine(Wire):
    """The same of `simulate`: which line, and why."""

    line: Annotated[int, Field(ge=1)]
    reason: ReasonCode
    message: str
