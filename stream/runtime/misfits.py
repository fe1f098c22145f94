"""What is found where state and topics do not fit each other: one line each, which names the way on.

docs/recovery.md lists them; a test holds the two together.
"""

from typing import TYPE_CHECKING

from stream.runtime.fatal import Misfit

if TYPE_CHECKING:  # a worker asks whose its topics are while Faust is still imported
    from stream.runtime.batches import Batch, Record

RECREATED = "recreated"
OTHER_RECORD = "other record"
DELETED = "deleted unread"
CHANGELOG_LOST = "changelog lost"
CHANGELOG_CUT = "changelog cut"
FOLD_LOST = "people lost"
FOLD_CUT = "people cut"
FOLD_UNDONE = "people half made"
REPARTITIONED = "repartitioned"
PARTITIONS = "partitions"
ROW_FORMAT = "row format"
RECORD_FORMAT = "record format"
OTHER_PREFIX = "other prefix"
OTHER_APP = "other app"

LINES = {
    RECREATED: (
        "{where} ends at {end}, but was read up to {position}: it was recreated or lost records; "
        "`leadstream topics --adopt` goes on with what it holds now"
    ),
    OTHER_RECORD: (
        "{where} holds another record at {offset} than was read there: it was recreated; "
        "`leadstream topics --adopt` goes on with what it holds now"
    ),
    DELETED: (
        "{where} was read up to {position}, but begins at {first}: {lost} records were deleted before they were read; "
        "`leadstream topics --adopt` goes on without them"
    ),
    CHANGELOG_LOST: (
        "the changelog of {where} is whole up to {end}, not up to {said}: it was recreated or lost rows; restore it, or "
        "`leadstream topics --adopt` makes the missing rows again from the events that are still there"
    ),
    CHANGELOG_CUT: (
        "the changelog of {where} begins at {first}, not at {said}: rows were deleted; restore it, or "
        "`leadstream topics --adopt` makes the missing rows again from the events that are still there"
    ),
    FOLD_LOST: (
        "the changelog of {where} is whole up to {end}, not up to {said}: the people were lost; restore it, or "
        "`leadstream resync` makes them again from lead-states and from every linked visitor"
    ),
    FOLD_CUT: (
        "the changelog of {where} begins at {first}, not at {said}: people were deleted; restore it, or "
        "`leadstream resync` makes them again from lead-states and from every linked visitor"
    ),
    FOLD_UNDONE: (
        "the people of {where} are being made again, and not all are there: `leadstream resync` was ended before it was through; "
        "run it again"
    ),
    REPARTITIONED: (
        "{topic} has {partitions} partitions, its state was made with {had}: give it those back, or start anew under another "
        "LEADSTREAM_APP and LEADSTREAM_TOPIC_PREFIX"
    ),
    PARTITIONS: (
        "{topic} has {partitions} partitions, there must be {wanted}: keys have moved; set LEADSTREAM_PARTITIONS to what an "
        "unread topic has, or start anew under another LEADSTREAM_APP and LEADSTREAM_TOPIC_PREFIX"
    ),
    ROW_FORMAT: (
        "{where} offset {offset} holds a row of format {format}: this release reads format {known}; "
        "run the release that wrote it, or restore the changelog"
    ),
    RECORD_FORMAT: "{where} offset {offset}: {what}; run the release that wrote it",
    OTHER_PREFIX: (
        "the tables of {app} were made from {topic}, not from the topics of this LEADSTREAM_TOPIC_PREFIX: set the one they "
        "belong to, or another LEADSTREAM_APP"
    ),
    OTHER_APP: (
        "{topic} belongs to {app}, and two would tell each fact twice: set LEADSTREAM_APP={app}, "
        "or another LEADSTREAM_TOPIC_PREFIX"
    ),
}
"""The line of each kind."""

ADOPTABLE = frozenset({RECREATED, OTHER_RECORD, DELETED, CHANGELOG_LOST, CHANGELOG_CUT})
"""What `leadstream topics --adopt` goes on with."""


def misfit(kind: str, **values: object) -> Misfit:
    """Return the refusal of a kind with its line."""
    return Misfit(LINES[kind].format(**values), kind)


def unreadable(batch: "Batch", record: "Record", what: object) -> Misfit:
    """Return the refusal of a record that this release cannot read, or that meets a row which it cannot read."""
    return misfit(RECORD_FORMAT, where=f"{batch.tp.topic}-{batch.tp.partition}", offset=record.offset, what=what)
