"""Which user agents are machines: crawlers, and the mail scanners that click every link before a human does."""

import re
from functools import lru_cache

from stream.lookups.words import WordLists

# No browser says more; what a producer writes must not cost more.
_READ = 1_000
_KNOWN = 16_384

_SPECIAL = re.compile(r"[\[\](){}*+?^$|.]|\\[a-zA-Z0-9]|\\$")
_ESCAPED = re.compile(r"\\([^a-zA-Z0-9])")


class Robots:
    """Tells machines by the first 1,000 characters of a user agent.

    Its word lists are `crawlers` (regular expressions, case counts) and `mail-scanners` (texts, case does not count).
    """

    def __init__(self, lists: WordLists) -> None:
        self._scanners = tuple(word.text.lower() for word in lists.read("mail-scanners"))
        literals: list[str] = []
        patterns: list[re.Pattern[str]] = []
        for word in lists.read("crawlers"):
            # Nearly all are plain text: the substring search is three times as fast as one large alternation.
            if not _SPECIAL.search(_ESCAPED.sub("", word.text)):
                literals.append(_ESCAPED.sub(r"\1", word.text))
                continue
            try:
                patterns.append(re.compile(word.text))
            except (re.error, OverflowError, RecursionError) as error:
                raise word.bad(f"{word.text!r} is no regular expression ({error})") from error
        self._literals = tuple(literals)
        self._patterns = tuple(patterns)
        self._known = lru_cache(maxsize=_KNOWN)(self._judge)

    def is_bot(self, user_agent: str | None) -> bool:
        """Tell whether a user agent is a machine's; none at all is not."""
        return self._known(user_agent[:_READ]) if user_agent else False

    def _judge(self, user_agent: str) -> bool:
        lower = user_agent.lower()
        return (
            any(text in user_agent for text in self._literals)
            or any(text in lower for text in self._scanners)
            or any(pattern.search(user_agent) for pattern in self._patterns)
        )
