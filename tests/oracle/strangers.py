"""Seeded stories that are about nothing but who is whom: odd ids, every kind, lead ids, aliases, caps, conflicts, wrong types."""

import json
from random import Random
from typing import Any

from tests.oracle.facts import instant_text
from tests.oracle.identities import lead_id

START, HOUR, DAY = 1_767_571_200_000, 3_600_000, 86_400_000
RULES = """
[ruleset]
id = "strangers"
[decay]
half_life = "10d"
[behaviours.asked]
match = { event = "Asked" }
points = 50
[behaviours.viewed]
match = { type = "page" }
points = 7
[sequences.viewed-asked]
steps = ["viewed", "asked"]
within = "2d"
points = 11
[[stages]]
name = "lead"
enter = { identified = true }
[[stages]]
name = "mql"
enter = { interest = 60 }
exit = { interest = 30 }
[[stages]]
name = "customer"
owner = "crm"
"""
ODD: list[Any] = [
    *(0, -0.0, -1, -5, 0.1, 1.5, 1e-7, 1e21, 9007199254740993, 18446744073709551615, True, None, "", "  ", "\u0000", "a\nb"),
    *("\u200b", "'null'", '"undefined"', "--0", "NULL", "None ", "NaN", "[Object Object]", "x" * 512, "x" * 513, "é" * 257),
    *(" \u00a0 ", "\u3000x\u3000", "a:b:c", ":", "01", "+49 30 901820", "0049 30 901820", "+1 650 253 0000", "x@a.example "),
    *("X@A.EXAMPLE", "@b", "a@", "a@b c", "a\u00a0@b", "x@@a", "ä@ü.example", "\uff31\uff31@x.example"),
]  # fmt: skip
IDS: dict[str, list[Any]] = {
    "user_id": [1, "1", 2, " 2 ", "null"],
    "user": [1, 2],
    "crm_lead_id": ["9", "8"],
    "crm": ["9"],
    "wechat_unionid": ["u", "v"],
    "email": ["x@a.example", " X@A.example", "y@a.example", "info@a.example", "a@b@c"],
    "mobile": ["+49 30 901820", "030 1", "+4930901820"],
    "phone": ["+4930901820"],
    "wechat_openid": ["oA", "oB"],
    "weibo": ["w"],
    "wecom": ["c"],
    "anon": ["a", "b"],
    "a:b": ["z"],
    "EMAIL": ["x@a.example"],
    "lead": [
        *map(lead_id, ["user::1", "user::2", "crm::9", "email::x@a.example", "phone::+4930901820"]), "lead_0000000000000000",
    ],
}  # fmt: skip
BOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


def story(seed: int) -> tuple[bytes, list[bytes]]:
    """Return a ruleset and lines."""
    rng = Random(seed)  # noqa: S311 - chance, not secrets
    rules = f'{RULES}[identity]\nmax_members = {rng.choice([2, 3, 4, 64])}\ntyped_email = "{rng.choice("BBC")}"\n'
    return rules.encode(), [json.dumps(event(rng, number)).encode() for number in range(rng.randint(4, 14))]


def event(rng: Random, number: int) -> dict[str, Any]:
    """Return one event; received in no order, now and then long after it happened."""
    received = instant_text(START + number * HOUR * rng.choice([1, 1, 7]))
    told: dict[str, Any] = {"type": rng.choice(["page", "track", "identify", "identify", "alias", "group", "screen"])}
    told |= {"messageId": f"m{number}", "timestamp": received, "receivedAt": received}
    if rng.random() < 0.1:
        told["timestamp"] = instant_text(START - DAY * rng.choice([1, 9]))
    if told["type"] == "track":
        told |= {"event": rng.choice(["Asked", "Lead Stage Changed", "Other"]), "properties": {"stage": _stage(rng)}}
    if rng.random() < 0.35:
        told["userId"] = rng.choice([1, "1", 2, "2", 3, *(one for one in ODD if one is not True)])
    if rng.random() < 0.5:
        told["anonymousId"] = rng.choice(["a", "b", "c", "d"] * 5 + [one for one in ODD if one is not True])
    if told["type"] == "alias" or rng.random() < 0.05:
        told["previousId"] = rng.choice(["a", "b", "c", "d", "1", "", 7, None])
    if told["type"] == "group":
        told["groupId"] = rng.choice(["g", "", "null", 7, None])
    return told | _more(rng)


def _stage(rng: Random) -> str:
    return rng.choice(["lead", "mql", "customer", "visitor"])


def _more(rng: Random) -> dict[str, Any]:
    context: dict[str, Any] = {}
    more: dict[str, Any] = {}
    if rng.random() < 0.45:
        context["externalIds"] = [_external(rng) for _ in range(rng.randint(1, 3))]
    if rng.random() < 0.05:
        context["userAgent"] = BOT
    if rng.random() < 0.4:
        mails = ["x@a.example", "Y@a.example", "sales@a.example", "bad", "q@gmail.com", None]
        traits = {"email": rng.choice(mails), "phone": rng.choice(["+4930901820", "1", None, None])}
        (more if rng.random() < 0.8 else context)["traits"] = traits
    return more | ({"context": context} if context else {})


def _external(rng: Random) -> dict[str, Any]:
    kind = rng.choice(list(IDS))
    entry: dict[str, Any] = {"type": kind, "id": rng.choice(IDS[kind])}
    if rng.random() < 0.4:
        entry["scope"] = rng.choice(["wx1", "wx2", "", None])
    if rng.random() < 0.1:
        entry["id"] = rng.choice(ODD)
    return entry
