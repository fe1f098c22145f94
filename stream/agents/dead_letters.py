"""What becomes of a record that cannot be processed: its bytes go on with headers that say why."""

from importlib.metadata import PackageNotFoundError, version

from schemas.event import Rejected
from stream.domain import instants
from stream.runtime.batches import Record
from stream.runtime.lanes import Message

PREFIX = "leadstream-"
NAMES = ("reason", "message", "stage", "topic", "partition", "offset", "version", "first-seen")
MAX_MESSAGE = 500
_OURS = frozenset(PREFIX + name for name in NAMES)


def _version() -> str:
    try:
        return version("leadstream")
    except PackageNotFoundError:
        return "0"


VERSION = _version()
_ERASED = Rejected("erased", "it happened before whom it is about was erased", "apply")


def dead_letter(topic: str, partition: int, record: Record, why: Rejected) -> Message:
    """Return the dead letter of a record found in a partition of `topic`."""
    first_seen = instants.write(min(max(record.timestamp, instants.EARLIEST), instants.LATEST))
    values = (why.reason, why.message[:MAX_MESSAGE], why.stage, topic, str(partition), str(record.offset), VERSION, first_seen)
    told = [(PREFIX + name, value.encode()) for name, value in zip(NAMES, values, strict=True)]
    if why.reason == "erased":
        return Message(None, None, told)
    kept = [(name, value) for name, value in record.headers if name not in _OURS]
    return Message(record.key, record.value, kept + told)


def erased_letter(topic: str, partition: int, record: Record) -> Message:
    """Return the dead letter of an event from before an erasure: nothing of it is kept but where it was found and when."""
    return dead_letter(topic, partition, record, _ERASED)
