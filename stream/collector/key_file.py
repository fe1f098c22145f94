"""Reads WRITE_KEYS: a TOML file with one table a key, every mistake told with its line.

[keys.web-4f1c]                                  # the key, as trackers send it
name     = "website"                             # what counters call it; default: the key, of a server a hash of it
origins  = ["https://www.example.com"]           # default: CORS_ORIGINS
types    = ["page", "track", "identify"]         # default: all six
rate     = 200                                   # events a second; default: no limit
burst    = 2000                                  # at once; default: ten seconds' worth
consent  = "required"                            # required, assumed (default), ignored
purposes = ["analytics"]                         # the consent that is asked for
trust    = "browser"                             # browser (default) or server
secret   = "…"                                   # what a page's identities are signed with
"""

import hashlib
from collections.abc import Mapping
from typing import cast, get_args

from schemas.event_model import EVENT_TYPES
from stream.collector.origins import Origins
from stream.collector.write_keys import PURPOSES, Consent, Trust, WriteKey
from stream.domain.ruleset.mistakes import RulesetError
from stream.domain.ruleset.table import Table
from stream.domain.ruleset.toml import opened

KEYS = ("name", "origins", "types", "rate", "burst", "consent", "purposes", "trust", "secret")
LONGEST_KEY = 256
MOST_KEYS = 1_000
SHORTEST_SECRET = 16
MOST_EVENTS = 1e7
BURST_S = 10


def read_text(text: bytes, name: str) -> Mapping[str, WriteKey]:
    """Read the keys from the bytes of their file; `name` is what mistakes call it. Raises RulesetError."""
    root = opened(text, name)
    root.only("keys")
    root.need("keys", 'one table a key, like [keys.web-4f1c]; "any key" is no file at all')
    keys = {key: _write_key(key, table) for key, table in root.tables("keys")}
    _check(root, keys)
    if root.mistakes.found:
        raise RulesetError(name, root.mistakes.found)
    return keys


def _write_key(key: str, table: Table) -> WriteKey:
    table.only(*KEYS)
    rate = table.number("rate", 0.0, low=0.001, high=MOST_EVENTS) if "rate" in table else 0.0
    trust = cast("Trust", table.choice("trust", get_args(Trust), "browser"))
    return WriteKey(
        name=table.text("name", _hidden(key) if trust == "server" else key or "none"),
        origins=_origins(table),
        types=frozenset(table.texts("types", EVENT_TYPES, EVENT_TYPES)),
        rate=rate,
        burst=table.number("burst", max(1.0, rate * BURST_S), low=1.0, high=MOST_EVENTS),
        consent=cast("Consent", table.choice("consent", get_args(Consent), "assumed")),
        purposes=frozenset(purpose.lower() for purpose in table.texts("purposes", PURPOSES)),
        trust=trust,
        secret=_secret(table),
    )


def _hidden(key: str) -> str:
    """Name a key that is a secret: counters, dashboards and answers show names."""
    return f"server-{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


def _origins(table: Table) -> Origins:
    origins = Origins()
    for number, text in enumerate(table.texts("origins", ())):
        try:
            origins = Origins.union((origins, Origins.of((text,))))
        except ValueError as error:
            table.mistakes.add((*table.path, "origins", number), str(error))
    return origins


def _secret(table: Table) -> bytes:
    if "secret" not in table:
        return b""
    secret = table.text("secret", "")
    if secret and len(secret) < SHORTEST_SECRET:
        table.wrong("secret", f"at least {SHORTEST_SECRET} characters")
    return secret.encode()


def _check(root: Table, keys: Mapping[str, WriteKey]) -> None:
    """Note what only the whole of the keys shows."""
    names: dict[str, str] = {}
    for number, (key, rules) in enumerate(keys.items()):
        if not key or len(key) > LONGEST_KEY or not key.isprintable():
            root.mistakes.add(("keys", key), f"a key of 1 to {LONGEST_KEY} printable characters")
        if number >= MOST_KEYS:
            root.mistakes.add(("keys", key), f"at most {MOST_KEYS} keys: each is a label of the counters")
        if rules.name in names:
            root.mistakes.add(("keys", key, "name"), f"another name: {names[rules.name]} is called that already")
        names[rules.name] = key
        if rules.trust == "server" and rules.origins:
            root.mistakes.add(("keys", key, "origins"), 'nothing: no page may hold a key with trust = "server"')
        if rules.burst and "burst" in root.values["keys"][key] and not rules.rate:
            root.mistakes.add(("keys", key, "burst"), "rate beside it: a burst is what may come at once above a rate")
