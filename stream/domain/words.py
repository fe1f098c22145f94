"""An operator's words: what was decided about each of the newest, for who said it and waits to hear of it.

A word has a name of its own (32 hex digits), made by who says it: said twice, it is decided once. What was decided names no
identity, lead ids at most: it lies in the log's own row, which an erasure does not look through.
"""

from typing import Any, Final

import orjson

from stream.domain.ownrows import LogRow

KEPT: Final = 64
"""Of so many words, the newest, it is known what was decided."""


def is_decided(log: LogRow, word: str) -> bool:
    """Tell whether a word was decided already: a client sent its record twice."""
    return word in log.words


def decide(log: LogRow, word: str, text: str, *, done: bool = True, **more: Any) -> None:
    """Remember what was decided: whether something was done, and in one line what, or why nothing was.

    >>> log = LogRow()
    >>> decide(log, "a1", "they are one lead now", lead="lead_0687587883fab020")
    >>> log.words["a1"]
    '{"done":true,"text":"they are one lead now","lead":"lead_0687587883fab020"}'
    """
    log.words[word] = orjson.dumps({"done": done, "text": text, **more}).decode()
    for oldest in list(log.words)[:-KEPT]:
        del log.words[oldest]


def told(log: LogRow, word: str) -> str | None:
    """Return what was decided, a JSON object's text; None: not decided (yet), or too long ago."""
    return log.words.get(word)
