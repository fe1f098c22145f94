"""What one record of `events` becomes: a change of a row, and what somebody listens to; or a letter, or nothing."""

from schemas.event import Rejected
from stream.agents.anonymous import Anonymous, counted_in
from stream.agents.dead_letters import dead_letter, erased_letter
from stream.agents.headers import FORWARDED, Told
from stream.agents.opened import Open
from stream.agents.own_records import OwnRecords
from stream.agents.topics import Topics
from stream.domain import canary
from stream.domain.event import Event
from stream.domain.instants import EARLIEST, LATEST
from stream.domain.trust import doubt
from stream.domain.visitor import apply, is_erased
from stream.ops.metrics import Metrics
from stream.runtime.batches import Record
from stream.runtime.flow import Flow
from stream.runtime.lanes import Message
from stream.runtime.producer import partition_of
from stream.runtime.topics import RECORD_BYTES

_NO_FORWARD = Rejected("too_large", "not in its key's partition, and larger than Kafka takes when it is sent there", "apply")


class Events:
    """Part of the visitors' agent; the hot path."""

    def __init__(self, flow: Flow, topics: Topics, own: OwnRecords, anonymous: Anonymous, metrics: Metrics) -> None:
        self._flow, self._topics, self._own, self._anonymous, self._metrics = flow, topics, own, anonymous, metrics

    def take(self, record: Record, told: Told, to: Open) -> None:
        """Make exactly one of `VERDICTS` of a record, of which its headers `told` something."""
        if told.internal:
            to.counts["own"] += 1
            self._own.apply(record, to)
            return
        if told.history:
            to.history = True
        if told.forwarded is not None:
            told = told.placed(to.base)
        event = to.intake.read(record.value, record.timestamp, told.collected)
        if type(event) is Rejected:
            self._refuse(record, event, to)
        elif event.echo:
            to.counts["echo"] += 1
            if (seen := canary.seen(event.node)) is not None:
                to.say(seen)
        else:
            to.received.append(event.r)
            to.counts[self._apply(record, event, told, to)] += 1

    def _apply(self, record: Record, event: Event, told: Told, to: Open) -> str:
        part, key, position = to.part, event.node.encode(), to.base + record.offset
        row = part.changed.get(key) or part.unchanged(key)  # who is on the site now has nearly always changed already
        if row is None:  # a row that is here is in the right partition; murmur2 in Python costs what three rows do
            if partition_of(key, self._flow.counts[to.topic]) != to.partition:
                return self._forward(record, key, to)
            row = to.graves.risen(key)
        if row is not None and position <= row.position:
            return "duplicate"
        if row is not None and row.erased is not None and is_erased(row, event.t):
            self._send_letter(to, "erased", erased_letter(to.topic, to.partition, record))
            return "dead letter"
        if event.links:
            _count_links(event, to)
        was = counted_in(row)
        outcome = apply(row, event, position, to.rules, told.forwarded, told.replayed)
        if outcome.verdict != "applied":
            return outcome.verdict
        part.changed[key] = after = outcome.row
        if outcome.late:
            to.counts["late"] += 1
        state = after.state
        if state.account is not None or state.groups or was is not None:  # two of three visitors are no company's
            self._anonymous.note(part, key, was, after)
        if outcome.snapshot is not None:
            to.say(outcome.snapshot)
            to.told_at.append(event.r)
        return "applied"

    def _refuse(self, record: Record, why: Rejected, to: Open) -> None:
        self._send_letter(to, why.reason, dead_letter(to.topic, to.partition, record, why))
        if EARLIEST <= record.timestamp <= LATEST:  # no clock goes by one that cannot be written
            to.received.append(record.timestamp)
        to.counts["dead letter"] += 1

    def _send_letter(self, to: Open, reason: str, message: Message) -> None:
        topic = self._topics.dead_letters
        count = self._flow.counts[topic]
        partition = to.partition % count if message.key is None else partition_of(message.key, count)
        to.out_bytes += message.size
        to.part.sent(self._flow.outbox.put(topic, partition, [message]))
        self._metrics.dead_letters.labels(reason).inc()

    def _forward(self, record: Record, key: bytes, to: Open) -> str:
        """Send a record to where its key belongs; it is a dead letter where the header that says so makes it too large."""
        found = (FORWARDED, f"{to.partition}:{record.offset}".encode())
        headers = [*((name, value) for name, value in record.headers if name != FORWARDED), found]
        message = Message(key, record.value, headers, record.timestamp)
        if not message.fits(RECORD_BYTES):
            self._send_letter(to, _NO_FORWARD.reason, dead_letter(to.topic, to.partition, record, _NO_FORWARD))
            return "dead letter"
        to.out_bytes += message.size
        to.part.sent(self._flow.put(to.topic, key, message))
        return "forwarded"


def _count_links(event: Event, to: Open) -> None:
    """Leave an event the links that count."""
    if event.browser:
        doubt(event, to.rules)
    if to.graves.salt:
        event.links = to.graves.made_since(event)
