"""Our own records in `events`: rulesets that come into force, erasures, and slices of a resync."""

from zlib import crc32

from stream.agents.anonymous import Anonymous
from stream.agents.erasing import ERASE
from stream.agents.erasing import told as erased_by
from stream.agents.headers import RESYNC, RULESET
from stream.agents.judging import Judging
from stream.agents.latch import FLAGS
from stream.agents.opened import Open
from stream.agents.rules import FORMATS, RULESET_KEY, new_ruleset
from stream.domain import editions, log
from stream.domain.editions import Edition
from stream.domain.visitor import Visitor, say_again
from stream.runtime.batches import Record
from stream.runtime.flow import Flow
from stream.runtime.producer import partition_of
from stream.runtime.rows import RowPart


class OwnRecords:
    """Part of the visitors' agent."""

    def __init__(self, flow: Flow, judging: Judging, anonymous: Anonymous) -> None:
        self._flow, self._judging, self._anonymous = flow, judging, anonymous

    def apply(self, record: Record, to: Open) -> None:
        """Apply a record of ours; one that puts a ruleset in force does so exactly here, and a repeat of it nothing."""
        if RESYNC in record.headers:
            _say_again(record, to)
        if ERASE in record.headers:
            self._erase(record, to)
        if RULESET in record.headers:
            self._switch(record, to)

    def _switch(self, record: Record, to: Open) -> None:
        told = new_ruleset(record.value)
        if told is None:
            return
        known, position = self._judging.editions(to.part), to.base + record.offset
        changed = known.followed_by(Edition(told.place, position, told.text))
        if changed is not known:
            to.part.put_raw(RULESET_KEY, editions.row(changed))
            self._judging.rules.came(changed.newest, f"{to.topic}-{to.partition}", record.offset)
        self._judging.judge_by(changed.at(position), to)

    def _erase(self, record: Record, to: Open) -> None:
        """Erase who belongs here, and say in `people` that it is done."""
        told = erased_by(record.value)
        if told is None:
            return
        count = self._flow.counts[to.topic]
        own = [key for key in map(str.encode, told.nodes) if partition_of(key, count) == to.partition]
        for key in own:
            row = to.part.get(key)
            if row is not None and row.erased_at < told.place:
                self._anonymous.let_go(to.part, key, told.r, log.BY_ERASURE)
        for said in to.graves.erase(told, own, to.partition, to.base + record.offset):
            to.say(said)


def _say_again(record: Record, to: Open) -> None:
    """Let the linked visitors of a slice send all they did, and whom they named; behind the last slice say so."""
    if (record.value or b" ")[0] >= FORMATS:
        return  # none of ours
    told, part = log.decode(record.value or b""), to.part
    if not isinstance(told, log.Resync):
        raise log.Unreadable(f"a record that should begin a resync holds a {type(told).__name__}")
    if told.part == 0:
        for grave in to.graves.all():
            to.say(grave)
    buried = max((grave.place for grave in to.graves.all()), default=0)
    for key in {**part.stored, **part.changed}:
        if key[:1] != RULESET_KEY[:1] and crc32(key) % told.parts == told.part and _is_listened(part, key):
            row = part.get(key)
            if row is not None:
                to.say(say_again(row, key.decode(), buried))
    if told.part == told.parts - 1:
        to.say(log.Settled(told.run, to.partition))


def _is_listened(part: RowPart[Visitor], key: bytes) -> bool:
    """Tell whether somebody listens to a row, without reading it whole."""
    row = part.changed.get(key)
    return part.stored[key][FLAGS] == 1 if row is None else row.listened
