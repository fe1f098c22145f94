"""What a write key may do: a public name for a source of events, and the rules for what comes under it.

    keys = load(settings)              # UsageError where the file cannot be used: one line a mistake, with line and key
    key = keys.find(told)              # Refused(401) for an unknown key
    key.check(origin)                  # Refused(403) for a page that may not use it; None: no browser asks
    key.refuses(event)                 # why this event is not for this key, or None
    keys.reload()                      # True: another table holds (every few seconds, in a thread)

Without a file every key is good, also none: only on loopback, unless ANY_WRITE_KEY says so (settings). A key is found by
Python's keyed hash of a text: the time that takes says nothing of how much of a guess was right.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal

from schemas.event_model import EVENT_TYPES
from stream.collector.origins import Origins
from stream.collector.request import Refused
from stream.domain.ruleset.mistakes import RulesetError
from stream.errors import UsageError
from stream.settings import PREFIX, Settings, is_loopback
from stream.stamps import stamp_of

logger = logging.getLogger(__name__)

Consent = Literal["required", "assumed", "ignored"]
Trust = Literal["browser", "server"]

PURPOSES: Final = ("analytics", "analytics_storage", "performance", "statistics", "measurement", "C0002")
"""What consent tools call what we do."""

ANY_NAME: Final = "any"
_ALL_TYPES: Final = frozenset(EVENT_TYPES)
_EVERY_PAGE: Final = Origins()


@dataclass(frozen=True, slots=True)
class WriteKey:
    """The rules of one key.

    `name` is what counters and logs call it, `origins` the pages that may use it (empty: all), `rate` events a second
    (0: as many as come) with `burst` at once, `purposes` the consent that is asked for, `trust` who holds the key (a page
    that everybody can read, or a server), `secret` what a page's identities are signed with.
    """

    name: str
    origins: Origins = _EVERY_PAGE
    types: frozenset[str] = _ALL_TYPES
    rate: float = 0.0
    burst: float = 0.0
    consent: Consent = "assumed"
    purposes: frozenset[str] = frozenset(purpose.lower() for purpose in PURPOSES)
    trust: Trust = "browser"
    secret: bytes = field(default=b"", repr=False)

    def check(self, origin: str | None) -> None:
        """Refuse a page that may not use the key; empty: one that does not say which.

        A server's key in a page is a secret that leaked: refused in all.
        """
        if origin is None:
            return
        if self.trust == "server":
            raise Refused(403, "origin", 'this write key is a server\'s: a page needs one of its own, with trust = "browser"')
        if origin and not self.origins.admit(origin):
            raise Refused(403, "origin", "this page's origin is not among the write key's origins")

    def refuses(self, event: Mapping[str, Any]) -> str | None:
        """Return why an event is not for this key, or None; what is no type at all the judge of events refuses."""
        type_ = event.get("type")
        if not isinstance(type_, str) or type_ in self.types or type_ not in _ALL_TYPES:
            return None
        return f"the write key takes no {type_} events"


class WriteKeys:
    """The keys in force; another file replaces them in one step. `version` counts these."""

    def __init__(self, keys: Mapping[str, WriteKey] | None, common: Origins, path: Path | None = None) -> None:
        """Take the keys (None: any), CORS_ORIGINS for those without origins, and the file to look at again."""
        self.version = 0
        self._common = common
        self._path = path
        self._seen = stamp_of(path)
        self._any = None if keys is not None else WriteKey(ANY_NAME, common)
        self._keys = self._completed(keys or {})

    @property
    def is_open(self) -> bool:
        """Whether any key is good."""
        return self._any is not None

    @property
    def count(self) -> int:
        """Return how many keys there are."""
        return max(1, len(self._keys))

    @property
    def names(self) -> list[str]:
        """Return what the keys are called, sorted."""
        return [self._any.name] if self._any else sorted({key.name for key in self._keys.values()})

    @property
    def pages(self) -> list[Origins]:
        """Return the origins of each key that a page may hold."""
        keys = [self._any] if self._any else self._keys.values()
        return [key.origins for key in keys if key.trust == "browser"]

    def find(self, told: str | None) -> WriteKey:
        """Return the rules of a key; raises Refused."""
        if self._any is not None:
            return self._any
        key = None if told is None else self._keys.get(told)
        if key is None:
            raise Refused(401, "write_key", "no write key" if told is None else "unknown write key")
        return key

    def reload(self) -> bool:
        """Read the file again if it changed; tell whether another table holds. A wrong file leaves the old one in force."""
        stamp = stamp_of(self._path)
        if self._path is None or stamp == self._seen:
            return False
        self._seen = stamp
        try:
            self._keys = self._completed(_read(self._path))
        except (OSError, RulesetError) as error:
            for line in str(error).splitlines():
                logger.error("The old write keys stay in force: %s", line)  # noqa: TRY400 - one line says it all
            return False
        self.version += 1
        logger.info("%s: read again, %d write keys", self._path, len(self._keys))
        return True

    def _completed(self, keys: Mapping[str, WriteKey]) -> dict[str, WriteKey]:
        return {
            told: key if key.origins or key.trust == "server" else replace(key, origins=self._common)
            for told, key in keys.items()
        }


def load(settings: Settings) -> WriteKeys:
    """Read what the settings name; raises UsageError with every mistake in the file."""
    try:
        common = Origins.of(settings.cors_origins)
    except ValueError as error:
        raise UsageError(f"{PREFIX}CORS_ORIGINS: {error}") from error
    if settings.write_keys is None:
        if settings.any_write_key == "loopback" and not is_loopback(settings.collector_host):
            raise UsageError(
                f"{PREFIX}COLLECTOR_HOST is {settings.collector_host}, off loopback, where not every key is taken: "
                f"set {PREFIX}WRITE_KEYS to a file of keys, or {PREFIX}ANY_WRITE_KEY=anywhere"
            )
        return WriteKeys(None, common)
    try:
        return WriteKeys(_read(settings.write_keys), common, settings.write_keys)
    except OSError as error:
        raise UsageError(f"{PREFIX}WRITE_KEYS is {settings.write_keys}: {error.strerror}: name a readable file") from error
    except RulesetError as error:
        raise UsageError(str(error)) from error


def _read(path: Path) -> Mapping[str, WriteKey]:
    from stream.collector.key_file import read_text  # noqa: PLC0415 - it makes what is defined here

    return read_text(path.read_bytes(), str(path))
