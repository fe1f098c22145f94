"""Seeded rulesets that use every part of section 6."""

import json
from collections.abc import Mapping
from random import Random

HALF_LIVES = ["1h", "12h", "3d", "7d", "14d", "30d", "90d"]
HEAD = """[ruleset]
id = "journey-{seed}"
timezone = "{zone}"

[decay]
{decay}
max_tags = {max_tags}
"""
WHERE = """
[where.product]
match = { url = "*/products/*" }
weight = 1.5
[where.wechat]
match = { channel = "wechat" }
weight = 0.8
[where.shop]
match = { url = ["shop.example:8443*", "*/pricing"] }
weight = 1.2
"""
CONDITIONS = """
[behaviours.rich]
match = { "properties.amount" = { gte = 1000, lte = 5000 }, type = "track" }
points = 25
half_life = "3d"
[behaviours.flagged]
match = { "properties.flag" = true, type = "track" }
points = 4
[behaviours.counted]
match = { "properties.count" = 3, type = "track" }
points = 3
intent = "direct"
[behaviours.nested]
match = { "properties.deep.er" = ["one", "tw*"] }
points = 6
[behaviours.titled]
match = { title = "Price*", search = "*q=*" }
points = 7
[behaviours.referred]
match = { referrer = "*search.example*" }
points = 2
[behaviours.campaigned]
match = { "campaign.name" = ["spring*", "autumn"] }
points = 5
[behaviours.registered-head]
match = { type = "identify", "traits.title" = "head*" }
points = 9
[behaviours.registered-free]
match = { type = "identify", email_kind = ["free", "disposable"] }
points = 1
[behaviours.called]
match = { type = "identify", phone_kind = "mobile" }
points = 2
[behaviours.industrial]
match = { type = "page", "company.known" = true, "company.industry" = "oil*" }
points = 3
"""
FIT = """
[fit.energy]
match = { "traits.company.industry" = ["oil", "energy"] }
points = 20
[fit.head]
match = { "traits.title" = "*head*" }
points = 12
[fit.budget]
match = { "traits.bant.budget" = true }
points = 10
bant = "budget"
[fit.authority]
match = { "traits.bant.authority" = ["yes", "partly"] }
points = 5
bant = "authority"
[fit.need]
match = { "traits.bant.need" = { gte = 3 } }
points = 5
bant = "need"
[fit.timing]
match = { "traits.bant.timing" = "*" }
points = 3
bant = "timing"
[fit.products]
match = { "traits.products" = ["crm", "erp"] }
points = 4
[fit.free-mail]
match = { email_kind = ["free", "disposable"] }
points = -20
[fit.no-phone]
match = { phone_kind = "invalid" }
points = -10
"""
FIT_COMPANY = """
[fit.known]
match = { "company.known" = true, "company.kind" = "business" }
points = 8
[fit.big]
match = { "company.size" = "big" }
points = 6
"""
GRADES = """
[grades]
A = [{ bant = 4 }, { bant = 2, fit = 30 }]
B = { bant = 2 }
C = { bant = 1 }
"""
ROUTES = """
[[routes]]
match = { stage = ["sql", "opportunity"] }
route = "sales"
[[routes]]
match = { intent = "direct", journey = "decision" }
route = "sales"
[[routes]]
match = { grade = "D", email_kind = "disposable" }
route = "discard"
[[routes]]
match = { "traits.title" = "*student*" }
route = "discard"
"""


def ruleset(seed: int, *, groups: bool) -> bytes:
    """Return one ruleset; with `groups` its fit leaves companies behind addresses alone."""
    rng = Random(seed)  # noqa: S311 - chance, not secrets
    parts = [head(rng, seed), WHERE if rng.random() < 0.7 else "", behaviours(rng), tags(rng)]
    if rng.random() < 0.6:
        parts.append('\n[dwell]\nproperty = "dwell_s"\nsteps = [[5, 0.5], [10, 1.0], [60, 1.5]]\n')
    if rng.random() < 0.7:
        parts.append("\n[timing]\nawareness = 1\nconsideration = 5\ndecision = 15\n")
    parts += [sequences(rng), interest(rng)]
    parts.append(FIT + ("" if groups else FIT_COMPANY) + GRADES)
    parts += [stages(rng), ROUTES if rng.random() < 0.7 else "", rest(rng)]
    parts.append(freshness(Random(f"fresh {seed}")))  # noqa: S311 - chance, not secrets
    return "".join(parts).encode()


def head(rng: Random, seed: int) -> str:
    """Return the name, the zone and the general decay."""
    decay = rng.choice(['half_life = "7d"', 'half_life = "14d"', 'retention = { after = "7d", keep = 0.7 }'])
    zone = rng.choice(["UTC", "Asia/Shanghai", "America/New_York"])
    return HEAD.format(seed=seed, zone=zone, decay=decay, max_tags=rng.choice([2, 3, 5, 64]))


def behaviours(rng: Random) -> str:
    """Return WHAT."""

    def half_life() -> str:
        if rng.random() < 0.2:
            return 'retention = { after = "5d", keep = 0.6 }'
        return f'half_life = "{rng.choice(HALF_LIVES)}"'

    def cap(points: int) -> str:
        return f"cap = {{ points = {points} }}" if rng.random() < 0.6 else ""

    blocks = [
        f"""tried]\nmatch = {{ type = "track", event = "Trial *" }}\npoints = 30\nweight = 1.0\nintent = "direct"
journey = "decision"\n{half_life()}\n{cap(50)}""",
        f"""attended]\nmatch = {{ type = "track", event = "Meeting Attended" }}\npoints = 50
journey = "consideration"\n{half_life()}""",
        f"""watched]\nmatch = {{ event = "broadcast watched" }}\npoints = 30\nweight = 0.7\n{half_life()}""",
        f"""left]\nmatch = {{ type = "track", event = "Unsubscribed" }}\npoints = -{rng.choice([10, 25, 60])}\n{cap(40)}""",
        f"""careers]\nmatch = {{ type = "page", url = "*/careers/*" }}\npoints = -10\nweight = 0.2\n{cap(15)}""",
        f"""priced]\nmatch = {{ type = ["page", "screen"], url = "*/pricing" }}\npoints = 10\nweight = 0.9
intent = "direct"\njourney = "decision"\n{half_life()}\n{cap(20)}""",
        'won]\nmatch = { event = ["Deal Won", "Order Completed"] }\npoints = 40\n',
        'moved]\nmatch = { event = "Lead Stage Changed" }\npoints = 1\n',
    ]
    last = f'viewed]\nmatch = {{ type = "page" }}\npoints = 1\njourney = "awareness"\n{half_life()}\n{cap(4)}'
    text = "".join(f"\n[behaviours.{block}\n" for block in blocks)
    return (CONDITIONS if rng.random() < 0.6 else "") + text + f"\n[behaviours.{last}\n"


def tags(rng: Random) -> str:
    """Return the tags: explicit ones, and what the content names itself."""
    own = f'half_life = "{rng.choice(HALF_LIVES)}"' if rng.random() < 0.5 else ""
    text = f'\n[tags.acquisition]\nmatch = {{ url = "*/acquisition*" }}\n{own}\n'
    text += '\n[tags.pricing]\nmatch = { url = "*pricing*" }\nhalf_life = "30d"\n'
    text += '\n[tags.everything]\nmatch = { type = "*" }\n'
    if rng.random() < 0.7:
        text += f'\n[tags.topics]\nfrom = "properties.topics"\nhalf_life = "{rng.choice(HALF_LIVES)}"\n'
        if rng.random() < 0.5:
            text += 'match = { type = ["screen", "track"] }\n'
            text += '\n[tags.elsewhere]\nfrom = "properties.topics"\nhalf_life = "5h"\n'
    return text


def sequences(rng: Random) -> str:
    """Return contextual rules."""
    text = ""
    if rng.random() < 0.7:
        text += '\n[sequences.site-meeting]\nsteps = ["viewed", "attended"]\n'
        text += f'within = "{rng.choice(["2h", "3d", "30d"])}"\npoints = 20\nhalf_life = "14d"\n'
    if rng.random() < 0.6:
        text += '\n[sequences.thrice]\nsteps = ["viewed", "viewed", "tried"]\n'
        text += f'within = "{rng.choice(["1h", "7d"])}"\npoints = 15\n'
    if rng.random() < 0.4:
        text += '\n[sequences.all]\nsteps = ["viewed", "attended", "watched", "tried"]\nwithin = "60d"\npoints = 25\n'
    return text


def interest(rng: Random) -> str:
    """Return floor and idle."""
    text = f"\n[interest]\nfloor = {rng.choice([0, 0, 0, -20, 5])}\n" if rng.random() < 0.8 else ""
    if rng.random() < 0.7:
        text += f'\n[idle]\nafter = "{rng.choice(["6h", "3d", "30d"])}"\npoints = {rng.choice([-30, -12, -5])}\n'
    return text


def stages(rng: Random) -> str:
    """Return the ladder."""
    dwell = rng.choice(["0s", "0s", "30m", "2d", "10d"])
    text = "\n"
    if rng.random() < 0.15:
        text += '[[stages]]\nname = "cold"\nenter = { total = -5 }\nexit = { total = -12 }\ndwell = "1h"\n'
    if rng.random() < 0.85:
        text += '[[stages]]\nname = "lead"\nenter = { identified = true }\n'
    else:
        text += '[[stages]]\nname = "lead"\nenter = { identified = true, total = 10 }\nexit = { total = 5 }\n'
    top = rng.choice([30, 60])
    grade = rng.random() < 0.3
    mql = {"interest": top} | ({"timing": 3} if rng.random() < 0.3 else {})
    down = {"interest": rng.choice([top - 1, top / 2, 10])} | ({"timing": 1} if "timing" in mql else {})
    text += table("mql", mql | ({"grade": "C"} if grade else {}), down | ({"grade": "D"} if grade else {}), dwell)
    sql_top = rng.choice([70, 120])
    sql_down = {"total": sql_top * 0.75} if rng.random() < 0.8 else {}
    text += table("sql", {"total": sql_top, "grade": rng.choice(["B", "C", "D"])}, sql_down, rng.choice(["0s", "1d"]))
    text += '[[stages]]\nname = "opportunity"\nowner = "crm"\n'
    if rng.random() < 0.3:
        text += table("hot", {"total": sql_top + 60}, {"total": sql_top + 30}, "0s")
    return text + '[[stages]]\nname = "customer"\nowner = "crm"\n'


def table(name: str, enter: Mapping[str, object], leave: Mapping[str, object], dwell: str) -> str:
    """Return one engine stage."""
    text = f'[[stages]]\nname = "{name}"\nenter = {inline(enter)}\n'
    text += f"exit = {inline(leave)}\n" if leave else ""
    return text + f'dwell = "{dwell}"\n'


def inline(values: Mapping[str, object]) -> str:
    """Return an inline table."""
    return "{ " + ", ".join(f"{key} = {json.dumps(value)}" for key, value in values.items()) + " }"


def rest(rng: Random) -> str:
    """Return CRM, identity and events."""
    text = f'\n[crm]\nhold = "{rng.choice(["1h", "2d", "14d"])}"\n' if rng.random() < 0.7 else ""
    members, typed = rng.choice([3, 5, 64, 64]), rng.choice(["B", "B", "B", "C"])
    text += f'\n[identity]\nmax_members = {members}\ntyped_email = "{typed}"\n'
    return text + ('\n[events]\ntraits = ["email", "title", "phone"]\n' if rng.random() < 0.5 else "")


def freshness(rng: Random) -> str:
    """Return how fast what was told of a job grows old; mostly so fast that it shows."""
    fading = rng.choice(
        ['half_life = "1h"', 'half_life = "12h"', 'half_life = "3d"', 'retention = { after = "7d", keep = 0.6 }', ""]
    )
    least = rng.choice(["", "min_confidence = 0.25", "min_confidence = 0.9", "min_confidence = 0"])
    return f"\n[freshness]\n{fading}\n{least}\n" if rng.random() < 0.7 else ""
