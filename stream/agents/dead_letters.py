"""What becomes of a record that cannot be processed: its bytes go on with headers that say why."""

from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

from schemas.event import Rejected
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


def dead_letter(topic: str, partition: int, record: Record, why: Rejected) -> Message:
    """Return the dead letter of a record found in a partition of `topic`."""
    first_seen = datetime.fromtimestamp(record.timestamp / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    values = (why.reason, why.message[:MAX_MESSAGE], why.stage, topic, str(partition), str(record.offset), VERSION, first_seen)
    told = [(PREFIX + name, value.encode()) for name, value in zip(NAMES, values, strict=True)]
    kept = [(name, value) for name, value in record.headers if name not in _OURS]
    return Message(record.key, record.value, kept + told)
