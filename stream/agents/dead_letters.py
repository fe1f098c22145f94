"""What becomes of a record that cannot be processed: its bytes go on with headers that say why."""

from importlib.metadata import PackageNotFoundError, version

from schemas.event import Rejected
from stream.agents.headers import REPLAYED
from stream.collected import COMPANY, TRUST
from stream.domain import instants
from stream.runtime.batches import Record
from stream.runtime.lanes import Message
from stream.runtime.large import Headers, size_of
from stream.runtime.topics import DEAD_LETTER_BYTES

PREFIX = "leadstream-"
NAMES = ("reason", "message", "stage", "topic", "partition", "offset", "version", "first-seen")
MAX_MESSAGE = 500
CUT, SIZE = f"{PREFIX}cut", f"{PREFIX}size"
"""Headers of a letter that is not whole: what it lacks, and about how many bytes the record had."""
_OURS = frozenset((*(PREFIX + name for name in NAMES), CUT, SIZE))
_NEEDED = frozenset((REPLAYED, TRUST, COMPANY))
"""Headers that say something of the event: a replay needs them."""


def _version() -> str:
    try:
        return version("leadstream")
    except PackageNotFoundError:
        return "0"


VERSION = _version()
_ERASED = Rejected("erased", "it happened before whom it is about was erased", "apply")


def dead_letter(topic: str, partition: int, record: Record, why: Rejected) -> Message:
    """Return the dead letter of a record found in a partition of `topic`, as much of it as Kafka takes."""
    first_seen = instants.write(min(max(record.timestamp, instants.EARLIEST), instants.LATEST))
    values = (why.reason, why.message[:MAX_MESSAGE], why.stage, topic, str(partition), str(record.offset), VERSION, first_seen)
    told = [(PREFIX + name, value.encode()) for name, value in zip(NAMES, values, strict=True)]
    if why.reason == "erased":
        return Message(None, None, told)
    kept = [(name, value) for name, value in record.headers if name not in _OURS]
    letter = Message(record.key, record.value, kept + told)
    return letter if letter.fits(DEAD_LETTER_BYTES) else _cut(record, told)


def _cut(record: Record, told: Headers) -> Message:
    """Return the letter without the headers of others or, where that is still too much, without key and value, too."""
    told = [*told, (SIZE, str(size_of(record.key, record.value, [*record.headers])).encode())]
    needed = [(name, value) for name, value in record.headers if name in _NEEDED]
    letter = Message(record.key, record.value, [*needed, *told, (CUT, b"headers")])
    return letter if letter.fits(DEAD_LETTER_BYTES) else Message(None, None, [*told, (CUT, b"value")])


def erased_letter(topic: str, partition: int, record: Record) -> Message:
    """Return the dead letter of an event from before an erasure: nothing of it is kept but where it was found and when."""
    return dead_letter(topic, partition, record, _ERASED)
