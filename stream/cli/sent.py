"""Which dead letters of a partition were replayed before: kept in Kafka as the metadata of a commit.

Of each reason it is a few spans of offsets: all letters of that reason in a span were sent. So one span is enough for a replay
from end to end, and one more for each gap that a filter leaves.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

import msgspec
import orjson

LARGEST = 3_500
"""Bytes; Kafka takes 4,096 by default."""
_told = msgspec.json.Decoder(dict[str, list[tuple[int, int]]]).decode


class Spans:
    """Spans of offsets, both ends included, in order; `among` are all letters they may be about, in order."""

    def __init__(self, among: Sequence[int], spans: Sequence[Sequence[int]] = ()) -> None:
        self._among = among
        self.spans = [[lo, hi] for lo, hi in spans if among and 0 <= lo <= hi and among[0] <= hi <= among[-1]]
        """Others are about letters that were deleted, a topic before this one, or none of ours."""

    def __contains__(self, offset: int) -> bool:
        """Tell whether a letter was sent."""
        at = bisect_right(self.spans, offset, key=lambda span: span[0])
        return at > 0 and offset <= self.spans[at - 1][1]

    def add(self, offset: int) -> None:
        """Note that a letter was sent; spans with no other letter between them become one."""
        if offset in self:
            return
        at = bisect_right(self.spans, offset, key=lambda span: span[0])
        place = bisect_left(self._among, offset)
        joined = [offset, offset]
        if at < len(self.spans) and (place + 1 == len(self._among) or self.spans[at][0] <= self._among[place + 1]):
            joined[1] = self.spans.pop(at)[1]
        if at > 0 and (place == 0 or self.spans[at - 1][1] >= self._among[place - 1]):
            joined[0] = self.spans.pop(at - 1)[0]
            at -= 1
        self.spans.insert(at, joined)


class Sent:
    """What was sent of a partition: `letters` are the offsets of all that lie there by reason, `text` what a commit says."""

    def __init__(self, letters: dict[str, list[int]], text: str = "") -> None:
        told = _read(text)
        self._spans = {reason: Spans(among, told.get(reason, ())) for reason, among in letters.items()}

    def of(self, reason: str) -> Spans:
        """Return the spans of a reason that the partition has letters of."""
        return self._spans[reason]

    def text(self) -> str:
        """Return what the next replay reads; what does not fit is the oldest: those would be sent again."""
        told = {reason: list(spans.spans) for reason, spans in self._spans.items() if spans.spans}
        while len(written := orjson.dumps(told)) > LARGEST:
            del min((spans for spans in told.values() if spans), key=lambda spans: spans[0][0])[0]
        return written.decode()


def _read(text: str) -> dict[str, list[tuple[int, int]]]:
    """Return the spans in a commit's metadata; none where it cannot be read: then the letters are sent again."""
    try:
        return _told(text)
    except msgspec.DecodeError:
        return {}
