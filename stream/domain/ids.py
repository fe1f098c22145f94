"""Source identities: `kind:scope:value`, their classes, and the ids that do not exist."""

from decimal import Decimal
from hashlib import sha256
from math import isfinite
from typing import Final, NamedTuple

LONGEST_ID: Final = 512
"""Bytes of UTF-8; a longer id does not exist."""

JUNK: Final = frozenset(
    {
        "", "anonymous", "guest", "null", "none", "nan", "undefined", "true", "false", "0", "-1", "id", "email",
        "not_authenticated", "[object object]",
    }
)  # fmt: skip
"""What clients send where they have no id, lower case and unquoted."""
_LONGEST_JUNK: Final = max(map(len, JUNK))

KINDS: Final = {"user_id": "user", "crm_lead_id": "crm", "mobile": "phone"}
"""The types of `externalIds` that are another word for a kind; every other type is its own kind."""

UNSCOPED: Final = frozenset({"user", "crm", "wechat_unionid", "email", "phone", "lead"})
NEEDS_SCOPE: Final = frozenset({"wechat_openid"})
NO_IDENTITY: Final = frozenset({"ip", "session", "company"})
"""Types of `externalIds`, in any case, that tell where somebody was, not who it is: many share one."""

_CLASSES: Final = {"user": "A", "crm": "A", "wechat_unionid": "A", "email": "B", "phone": "B", "lead": "lead"}
_AROUND: Final = " \t\r\n\"'`"
_JS_PLAIN_DIGITS: Final = 21


class Node(NamedTuple):
    """A source identity in its parts; `scope` may be empty, `value` may contain colons."""

    kind: str
    scope: str
    value: str


def parse(node: str) -> Node:
    """Split `kind:scope:value` at its first two colons; ValueError where a part is missing.

    >>> parse("anon::9f2c")
    Node(kind='anon', scope='', value='9f2c')
    >>> parse("wechat_openid:wx1:o:X").value
    'o:X'
    """
    parts = node.split(":", 2)
    if len(parts) < len(Node._fields) or not parts[0] or not parts[2]:
        msg = f"{node!r} is no id: write kind:scope:value, as in anon::9f2c or user::42"
        raise ValueError(msg)
    return Node(*parts)


def kind_of(node: str) -> str:
    """Return what stands before the first colon."""
    return node[: node.index(":")]


def value_of(node: str) -> str:
    """Return what stands behind the second colon."""
    return node.split(":", 2)[2]


def class_of(kind: str, typed_email: str = "B") -> str:
    """Return `A` (unique), `B` (strong), `C` (device) or `lead`; `typed_email` is the ruleset's class of e-mails."""
    return typed_email if kind == "email" else _CLASSES.get(kind, "C")


def is_identifying(node: str, typed_email: str = "B") -> bool:
    """Tell whether a person with this member is identified: class A or B."""
    return class_of(node[: node.index(":")], typed_email) in {"A", "B"}  # asked of every member: kind_of would be a call more


def is_device(node: str, typed_email: str = "B") -> bool:
    """Tell whether this identity is of class C; nearly all that ask are cookies."""
    return node.startswith("anon:") or class_of(kind_of(node), typed_email) == "C"


def lead_id(node: str) -> str:
    """Return the id of the lead whose first identified member this is.

    >>> lead_id("user::42")
    'lead_0687587883fab020'
    """
    return f"lead_{sha256(node.encode()).hexdigest()[:16]}"


def text_of(value: object) -> str | None:
    """Return an id's text: a string as it is, a number as JavaScript's `String(n)`, None for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return str(value)
    return _javascript(value) if isinstance(value, float) and isfinite(value) else None


def id_of(value: object) -> str | None:
    """Return the trimmed id, or None where it does not exist: no text or number, too long, or junk.

    >>> id_of(" 9f2c "), id_of(42.0), id_of("'Null'"), id_of("00-00"), id_of(True)
    ('9f2c', '42', None, None, None)
    """
    text = value if isinstance(value, str) else text_of(value)
    if text is None:
        return None
    text = text.strip()
    return text if _fits(text) and not is_junk(text) else None


def is_junk(text: str) -> bool:
    """Tell whether the text stands for "no id": on the junk list, or nothing but zeros and dashes."""
    bare = text.strip(_AROUND)
    return (len(bare) <= _LONGEST_JUNK and bare.lower() in JUNK) or not bare.strip("0-")


def email_of(value: object) -> str | None:
    """Return the address trimmed and lower-cased; None unless exactly one `@` stands between two texts without spaces.

    >>> email_of(" Buyer@ACME.example "), email_of("a@b@c"), email_of("a b@c")
    ('buyer@acme.example', None, None)
    """
    if not isinstance(value, str):
        return None
    text = value.strip().lower()
    local, at, domain = text.partition("@")
    if not (local and at and domain) or "@" in domain or len(text.split()) != 1:
        return None
    return text if _fits(text) and not is_junk(text) else None


def node_of(kind: str, value: str, scope: str = "") -> str:
    """Join the parts."""
    return f"{kind}:{scope}:{value}"


def _fits(text: str) -> bool:
    if len(text) > LONGEST_ID:
        return False
    return text.isascii() or len(text.encode("utf-8", "surrogatepass")) <= LONGEST_ID


def _javascript(number: float) -> str:
    """Write a number as ECMAScript's Number::toString does (ECMA-262, 6.1.6.1.20)."""
    sign, digits, exponent = Decimal(repr(number)).normalize().as_tuple()
    if digits == (0,):
        return "0"
    text, point = "".join(map(str, digits)), len(digits) + int(exponent)
    return ("-" if sign else "") + _placed(text, point)


def _placed(digits: str, point: int) -> str:
    """Put the decimal point behind `point` digits, with an exponent where JavaScript writes one."""
    if len(digits) <= point <= _JS_PLAIN_DIGITS:
        return digits.ljust(point, "0")
    if 0 < point <= _JS_PLAIN_DIGITS:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"0.{'0' * -point}{digits}"
    mantissa = digits[0] + (f".{digits[1:]}" if len(digits) > 1 else "")
    return f"{mantissa}e{point - 1:+d}"
