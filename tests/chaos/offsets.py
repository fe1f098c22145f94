"""Every record of every topic is one that must be there, or the repeat of one: nothing lies beyond the expected ends."""

from collections.abc import Iterator

from stream.agents.headers import FORWARDED, INTERNAL, forwarded_from
from stream.domain import log
from stream.runtime.producer import partition_of
from tests.brokers import Record
from tests.chaos.logs import Copy

OWN_ROWS = (b"\x00mark:", b"\x00ruleset")


def beyond(copy: Copy, partitions: int) -> Iterator[str]:
    """Say what should not be there; outputs, rows of people and dead letters are judged with their contents elsewhere."""
    yield from _events(copy.read("events"), copy.sent, partitions)
    yield from _people(copy, partitions)
    yield from _not_committed(copy)
    for row in copy.read(f"{copy.app}-visitors-changelog"):
        key = row.key or b""
        if key.startswith(b"\x00") and not key.startswith(OWN_ROWS):
            yield f"a row of the table's own under {key!r}"


def _events(records: list[Record], sent: int, partitions: int) -> Iterator[str]:
    """What was sent from outside lies there once, each; a forwarded one is a copy of one that lay elsewhere."""
    places = {(record.partition, record.offset): record for record in records}
    outside = [record for record in records if not {INTERNAL, FORWARDED} & record.headers.keys()]
    if len(outside) != sent:
        yield f"events holds {len(outside)} records from outside, {sent} were sent"
    for record in records:
        found = forwarded_from(list(record.headers.items()))
        if found is None:
            continue
        source = places.get(found)
        same = source is not None and (source.value, source.timestamp_ms) == (record.value, record.timestamp_ms)
        if not same or partition_of(record.key or b"", partitions) != record.partition:
            yield f"events {record.partition}:{record.offset} says it was forwarded from {found}: it was not"


def _people(copy: Copy, partitions: int) -> Iterator[str]:
    """Snapshots, ticks of partitions that exist, and as many rulesets as were deployed."""
    deployed: dict[int, bytes] = {}
    for record in copy.read("people"):
        told = log.decode(record.value or b"")
        if isinstance(told, log.Deployment):
            deployed[record.offset + 1] = told.text
        elif not (isinstance(told, log.Snapshot | log.GoOn) or (isinstance(told, log.Tick) and 0 <= told.partition < partitions)):
            yield f"people {record.offset}: {told!r} was never sent"
    if len(deployed) != copy.deployed:
        yield f"people holds {len(deployed)} rulesets, {copy.deployed} were deployed"
    yield from _passed_on(copy.read("events"), deployed, partitions)


def _passed_on(events: list[Record], deployed: dict[int, bytes], partitions: int) -> Iterator[str]:
    """Our own records in `events` are those rulesets, each in every partition."""
    there: dict[int, set[int]] = {place: set() for place in deployed}
    for record in events:
        if INTERNAL in record.headers:
            own = log.decode(record.value or b"")
            if not isinstance(own, log.NewRuleset) or deployed.get(own.place) != own.text:
                yield f"events {record.partition}:{record.offset}: {own!r} was never sent"
            else:
                there[own.place].add(record.partition)
    for place, met in there.items():
        if len(met) != partitions:
            yield f"the ruleset of place {place} came to partitions {sorted(met)} only"


def _not_committed(copy: Copy) -> Iterator[str]:
    """Everything was read to its end, and nothing is committed that is not there; but ticks may come while workers stop."""
    for topic, committed in copy.committed.items():
        ends = {record.partition: record.offset + 1 for record in copy.read(topic)}
        for partition in committed.keys() | ends.keys():
            at, end = committed.get(partition, 0), ends.get(partition, 0)
            rest = [record for record in copy.read(topic) if record.partition == partition and record.offset >= at]
            if at > end or (rest and not (topic in ("people", "members") and all(is_tick(record) for record in rest))):
                yield f"{topic} {partition}: {at} is committed, the end is {end}"


def is_tick(record: Record) -> bool:
    """Tell what says nothing but how far the clock is; behind a `GoOn` something waits that was due before."""
    return isinstance(log.decode(record.value or b""), log.Tick)
