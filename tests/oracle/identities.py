"""Identities as section 3 of the contract names them: kinds, classes, junk, keys, links."""

import hashlib
import json
import re
from typing import Any

import phonenumbers

CLASS_A = frozenset({"user", "crm", "wechat_unionid"})
CLASS_B = frozenset({"email", "phone"})
RENAMED = {"crm_lead_id": "crm", "user_id": "user", "mobile": "phone"}
ROLES = frozenset({"info", "sales"})
JUNK = frozenset(
    {
        "",
        "anonymous",
        "guest",
        "null",
        "none",
        "nan",
        "undefined",
        "true",
        "false",
        "0",
        "-1",
        "id",
        "email",
        "not_authenticated",
        "[object object]",
    }
)


def kind_of(node: str) -> str:
    """Return the kind of a `kind:scope:value`."""
    return node.split(":", 2)[0]


def value_of(node: str) -> str:
    """Return the value of a `kind:scope:value`."""
    return node.split(":", 2)[2]


def scope_of(node: str) -> str:
    """Return the scope of a `kind:scope:value`."""
    return node.split(":", 2)[1]


def class_of(node: str, typed_email: str) -> str:
    """Return A, B, C, or L for a lead id."""
    kind = kind_of(node)
    if kind == "lead":
        return "L"
    if kind == "email":
        return typed_email
    if kind in CLASS_A:
        return "A"
    return "B" if kind in CLASS_B else "C"


def lead_id(node: str) -> str:
    """Return the id of the lead that this identity was the first of."""
    return "lead_" + hashlib.sha256(node.encode()).hexdigest()[:16]


def cleaned(raw: Any) -> str | None:
    """Return an id as it counts, None where it does not exist."""
    if raw is None or isinstance(raw, bool):
        return None
    text = raw.strip() if isinstance(raw, str) else number(raw)
    bare = text.strip("\"'").strip().lower()
    if bare in JUNK or re.fullmatch(r"[0\-]+", bare) or len(text.encode()) > 512:
        return None
    return text


def number(raw: float) -> str:
    """Return a number as JavaScript's String(n) writes the plain ones."""
    if isinstance(raw, int):
        return str(raw)
    return str(int(raw)) if raw.is_integer() and abs(raw) < 1e21 else re.sub(r"e([+-])0+", r"e\1", repr(raw))


def mail_address(raw: Any) -> str | None:
    """Return an e-mail address as it counts: one @ between two texts without spaces."""
    text = cleaned(raw)
    if text is None:
        return None
    return text.lower() if re.fullmatch(r"[^@\s]+@[^@\s]+", text) else None


def phone_number(raw: Any) -> tuple[str | None, str | None]:
    """Return (E.164 or None, phone kind or None); no number at all has no kind."""
    text = cleaned(raw)
    if text is None:
        return None, None
    try:
        parsed = phonenumbers.parse(text, None)
    except phonenumbers.NumberParseException:
        return None, "invalid"
    if not phonenumbers.is_valid_number(parsed):
        return None, "invalid"
    fixed = phonenumbers.number_type(parsed) == phonenumbers.PhoneNumberType.FIXED_LINE
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164), "fixed" if fixed else "mobile"


def node(kind: str, scope: str, raw: Any) -> str | None:
    """Return `kind:scope:value`, None where the id does not exist."""
    if kind == "email":
        value = mail_address(raw)
    elif kind == "phone":
        value = phone_number(raw)[0]
    else:
        value = cleaned(raw)
    return None if value is None else f"{kind}:{scope}:{value}"


def external(entry: dict[str, Any]) -> str | None:
    """Return the identity that one member of `context.externalIds` names."""
    named = entry.get("type")
    if not isinstance(named, str) or not named.strip() or ":" in named:
        return None
    kind = RENAMED.get(named.strip(), named.strip())
    scope = entry.get("scope")
    scope = scope.strip() if isinstance(scope, str) else ""
    if kind in CLASS_A or kind in CLASS_B or kind == "lead":
        scope = ""
    if ":" in scope or (kind == "wechat_openid" and not scope):
        return None
    return node(kind, scope, entry.get("id"))


def own_traits(event: dict[str, Any]) -> dict[str, Any]:
    """Return the traits an event carries by leaf path: `traits` of identify before `context.traits`."""
    found = leaves((event.get("context") or {}).get("traits") or {})
    if event["type"] == "identify":
        found |= leaves(event.get("traits") or {})
    return found


def leaves(table: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return {leaf path: value}; a list is a leaf."""
    out: dict[str, Any] = {}
    for name, value in table.items():
        if isinstance(value, dict):
            out |= leaves(value, f"{prefix}{name}.")
        else:
            out[prefix + name] = value
    return out


def identities(event: dict[str, Any]) -> list[str]:
    """Return all identities an event carries, in key order; the first is the key if it may be one."""
    context = event.get("context") or {}
    outside = [n for n in (external(entry) for entry in context.get("externalIds") or []) if n]
    found = [node("user", "", event.get("userId"))]
    found += [n for n in outside if kind_of(n) in CLASS_A]
    found += [n for n in outside if kind_of(n) == "lead"]
    found += [n for n in outside if kind_of(n) in CLASS_B]
    found.append(node("anon", "", event.get("anonymousId")))
    found += [n for n in outside if kind_of(n) not in CLASS_A | CLASS_B | {"lead"}]
    if event["type"] == "identify":
        traits = own_traits(event)
        found += [node("email", "", traits.get("email")), node("phone", "", traits.get("phone"))]
    return list(dict.fromkeys(n for n in found if n))


def links(event: dict[str, Any], keyed: list[str]) -> list[str]:
    """Return what an event links its key to."""
    key = keyed[0]
    others = list(keyed[1:])
    if event["type"] == "alias":
        previous = node("anon", "", event.get("previousId"))
        others += [previous] if previous else []
    if event["type"] == "group" or unlinkable(key):
        return []
    return [n for n in dict.fromkeys(others) if n != key and not unlinkable(n)]


def unlinkable(name: str) -> bool:
    """Tell whether an identity never links: lead ids and role mailboxes."""
    return kind_of(name) == "lead" or (kind_of(name) == "email" and email_kind(value_of(name)) == "role")


def email_kind(address: str) -> str:
    """Return role, disposable, free or business."""
    user, _, domain = address.lower().partition("@")
    if user in ROLES:
        return "role"
    if domain == "mailinator.com":
        return "disposable"
    return "free" if domain in {"gmail.com", "qq.com", "163.com"} else "business"


def message_hash(event: dict[str, Any], r: int, *, own_time: bool) -> str:
    """Return the messageId, or the one that stands for it."""
    given = event.get("messageId")
    if given:
        return f"given:{given}"
    rest = {name: value for name, value in event.items() if name not in {"sentAt", "receivedAt"}}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "made:" + hashlib.sha256((text if own_time else f"{text}{r}").encode()).hexdigest()
