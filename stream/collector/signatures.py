"""Who vouches for an event: whoever holds its write key, or the site's server, which signed the identity for the page.

    trust = vouched(key, event)            # "browser" or "server": the value of the Kafka header stream.collected.TRUST

Everybody can read the write key in a page, and send an event that says `userId: 42` under it. Where a key has a `secret`, the
site's server, which knows who is signed in, writes into the page

    context.signature = hexadecimal HMAC-SHA256 of the userId, keyed with the secret

and an event with it counts as the server's: `[identity] trusted_only` links it. It vouches for the userId alone: beside
another identity of class A (a CRM's id, a WeChat unionid) it is a browser's word. It is taken out before Kafka: it is as
good as a password for that identity.
"""

import hmac
from hashlib import sha256
from typing import Any, Final

from stream.collector.write_keys import Trust, WriteKey
from stream.domain.ids import KINDS, class_of, id_of

MEMBER: Final = "signature"


def vouched(key: WriteKey, event: dict[str, Any]) -> Trust:
    """Return who vouches for the event; takes its signature out."""
    context = event.get("context")
    told = context.pop(MEMBER, None) if isinstance(context, dict) else None
    if key.trust == "server" or not key.secret or not isinstance(context, dict) or not isinstance(told, str):
        return key.trust
    user = id_of(event.get("userId"))
    if user is None or _names_others(context.get("externalIds")):
        return "browser"
    return "server" if hmac.compare_digest(signature(key.secret, user).encode(), told.lower().encode()) else "browser"


def signature(secret: bytes, user: str) -> str:
    """Return what a server writes into the page of a user.

    >>> signature(b"0123456789abcdef", "42")[:16]
    '8d24a2a526d5f556'
    """
    return hmac.new(secret, user.encode("utf-8", "surrogatepass"), sha256).hexdigest()


def _names_others(external: object) -> bool:
    """Tell whether there are further identities of class A; what cannot be read counts as one."""
    entries = external if isinstance(external, list) else ()
    return any(not isinstance(each, dict) or class_of(_kind(each.get("type"))) == "A" for each in entries)


def _kind(type_: object) -> str:
    return KINDS.get(type_, type_) if isinstance(type_, str) else "user"
