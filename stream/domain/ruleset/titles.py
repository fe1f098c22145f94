"""Job titles as people write them: in any case, any spelling of a space, English and Chinese in one line."""

import re
from collections.abc import Iterable
from functools import cache
from unicodedata import normalize

LONGEST = 256
"""So many signs of a title are read."""

_HAN = "\u2e80-\u2fff\u3005-\u3007\u3040-\u31ff\u3400-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff"
"""Scripts that are written without spaces, or where a word may stand within another."""
_INITIALS = re.compile(r"\b(?:[^\W\d_]\.){2,}")
_BETWEEN = re.compile(r"(?:[^\w*]|_)+")
_ANYWHERE = re.compile(f"[{_HAN}]")


def plain(title: str) -> str:
    r"""Return a title as it is compared: one case, one width, one space between words, none between Chinese signs.

    >>> plain(" Vice-President,  Sales "), plain("C.E.O."), plain("ＩＴ部 总 经理"), plain("R&D")
    ('vice president sales', 'ceo', 'it 部总经理', 'r d')
    """
    text = normalize("NFKC", title[:LONGEST]).casefold()
    text = _INITIALS.sub(lambda found: found[0].replace(".", ""), text)
    text = _BETWEEN.sub(" ", text).strip()
    if text.isascii():
        return text
    gap, seam = _around_han()
    return seam.sub(" ", gap.sub("", text))


@cache
def _around_han() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Return what finds spaces between two Chinese signs, and where such a sign meets another; slow to make."""
    seam = rf"(?<=[{_HAN}])(?=[^\W{_HAN}])|(?<=[^\W{_HAN}])(?=[{_HAN}])"
    return re.compile(f"(?<=[{_HAN}]) (?=[{_HAN}])"), re.compile(seam)


class Phrases:
    """Tells whether any of some phrases stands in a plain title as whole words.

    Chinese has no spaces, so there a phrase may stand anywhere. `*` stands for any text.

    >>> has = Phrases(["vp", "chief * officer", "engineer*", "* lead", "总监"])
    >>> [plain(title) in has for title in ("VP Sales", "MVP", "Chief Data Officer", "Engineering", "Lead", "Team Lead", "总监")]
    [True, False, True, True, False, True, True]
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts: tuple[str, ...] | None = tuple(texts)
        self._words: set[str] = set()
        self._parts: list[str] = []
        self._anywhere: list[str] = []
        self._starred: list[list[str]] = []

    def __contains__(self, title: object) -> bool:
        """Look among single words first: most phrases are one."""
        text = str(title)
        if self._texts is not None:
            self._sort(self._texts)
        if not self._words.isdisjoint(text.split(" ")):
            return True
        padded = f" {text} "
        if any(part in padded for part in self._parts):
            return True
        if not text.isascii() and any(phrase in text for phrase in self._anywhere):
            return True
        return any(_stands(parts, padded) for parts in self._starred)

    def _sort(self, texts: tuple[str, ...]) -> None:
        """Sort the phrases by how they are looked for; not before a title comes, it costs a start some time."""
        self._texts = None
        for phrase in map(plain, texts):
            before, after = (" " if _is_spaced(sign) else "" for sign in (phrase[:1], phrase[-1:]))
            if "*" in phrase:
                self._starred.append(f"{before}{phrase}{after}".split("*"))
            elif not before and not after:
                self._anywhere.append(phrase)
            elif before and after and " " not in phrase:
                self._words.add(phrase)
            else:
                self._parts.append(f"{before}{phrase}{after}")


def _is_spaced(sign: str) -> bool:
    """Tell whether a word that begins or ends with this sign is set off by spaces."""
    return sign != "*" and _ANYWHERE.match(sign) is None


def _stands(parts: list[str], title: str) -> bool:
    """Tell whether the parts of a phrase stand in a title one behind the other, without the spaces around it where a star is."""
    at, end = int(not parts[0]), len(title) - int(not parts[-1])
    for part in parts:
        at = title.find(part, at, end)
        if at < 0:
            return False
        at += len(part)
    return True
