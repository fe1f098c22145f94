"""Signs as Standard Webhooks 1.0 says (standardwebhooks.com): HMAC-SHA256 over `id.timestamp.body`, one signature a secret."""

import base64
import binascii
import hmac
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

PREFIX: Final = "whsec_"
SHORTEST: Final = 24
LONGEST: Final = 64


def read_secret(text: str) -> bytes:
    """Return the key in `whsec_…`; raises ValueError, without the secret in its text."""
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not text.startswith(PREFIX) or not SHORTEST <= len(key) <= LONGEST:
        raise ValueError(f"a secret is {PREFIX} and {SHORTEST} to {LONGEST} random bytes in base64")
    return key


def headers(secrets: Sequence[bytes], id_: str, at_s: int, body: bytes) -> dict[str, str]:
    """Return the headers of a webhook; of several secrets each signs, so that a receiver may change over in its own time."""
    signed = " ".join(f"v1,{signature(secret, id_, at_s, body)}" for secret in secrets)
    return {"webhook-id": id_, "webhook-timestamp": str(at_s), "webhook-signature": signed}


def signature(secret: bytes, id_: str, at_s: int, body: bytes) -> str:
    """Return one signature in base64.

    >>> signature(bytes(range(24)), "msg_1", 1700000000, b"{}")
    'ehZEL34p4RtokJ76Mky/c6YT0NkxG/H/gdzahhXIyv0='
    """
    signed = hmac.new(secret, f"{id_}.{at_s}.".encode() + body, sha256).digest()
    return base64.b64encode(signed).decode()
