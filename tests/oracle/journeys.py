"""Seeded journeys of a few people who keep running into each other: NDJSON, a ruleset, company ranges."""

import json
import math
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.oracle.facts import instant_text
from tests.oracle.identities import lead_id
from tests.oracle.rules import Rules
from tests.oracle.rulesets import ruleset

SECOND, MINUTE, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000
START = 1_767_571_200_000  # 2026-01-05
USERS: list[Any] = ["1", 2, "u-3"]
COOKIES = ["a", "b", "c", "d", "e"]
MAILS = ["buyer@acme.example", " Boss@Acme.example ", "me@gmail.com", "x@mailinator.com", "info@acme.example"]
PHONES = ["+8613800138000", "+86 10 8888 8888", "12345", "+44 20 7946 0958"]
CRMS = ["00Q7", "00Q8"]
JUNK = ["", " ", "null", "undefined", "anonymous", "0", "-1", "[object Object]", '"guest"', "00-00", "NaN"]
TOPICS = ["pricing", "Customer Acquisition", "acquisition", "ai", "cloud", " data ", "x" * 65, "", 7, None]
PATHS = ["/products/x", "/products", "/acquisition/now", "/pricing/", "/careers/dev", "/careers", "/", "/blog/a?q=1#f"]
BOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
HUMAN = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
ADDRESSES = ["198.51.100.7", "198.51.100.200, 10.0.0.1", "[2001:db8::1]:443", "::ffff:203.0.113.9", "8.8.8.8", "nonsense"]
RANGES = """network,name,domain,kind,industry,size
198.51.100.0/24,Acme Oil,acme-oil.example,business,oil,big
198.51.100.128/25,Acme Labs,labs.example,,energy,small
203.0.113.0/24,City College,college.example,education,,big
2001:db8::/32,Six Ltd,six.example,,Oil & Gas,small
"""
TRACKS = ["Trial Started", "trial ended", "Meeting Attended", "Broadcast Watched", "Unsubscribed", "Whatever", "Deal Won"]
ODD_USERS: list[Any] = [1000.0, 1.5, 9007199254740993, " 7 ", "7", "'q", "用户", "x" * 512, "y" * 513, "a:b:c", 7]
ODD_MAILS = ["a@b@c", "no at", "A b@c.example", "Ü@x.example", "SALES@x.example", " Q@QQ.com", "x@", 7]
ODD_URLS: list[Any] = [
    "HTTPS://WWW.Acme.example/Pricing/?x=1#y",
    "https://h.example:443/pricing#frag",
    "https://h.example?x=/pricing",
    "https://h.example/%70ricing",
    "https://user@h.example/p@q/products/",
    "http://h.example/",
    "http://h.example/careers/[x]/y",
    5,
    None,
]
ODD_ADDRESSES: list[Any] = [
    "[198.51.100.7]",
    "[198.51.100.7]:80",
    "198.51.100.7:8080",
    "[2001:db8::1%eth0]:1",
    "2001:db8::5%1",
    " 198.51.100.7 , 1.1.1.1",
    "2001:DB8:0:0::5",
    "::ffff:198.51.100.130",
    "198.51.100.256",
    "",
    7,
    None,
    ["198.51.100.7"],
]
ODD_TIMES = [
    "2026-01-05T00:00:00.5+23:59",
    "2026-01-05T00:00:00.1239999999-00:30",
    "2026-01-05T24:00:00Z",
    "2026-02-30T00:00:00Z",
    "2026-01-05T00:00:00.Z",
    "2026-01-05T00:00:00,5Z",
    "2026-01-05T00:00:00+0000",
    "2026-01-05 00:00:00z",
    "2026-01-05T00:00Z",
    "20260105T000000Z",
    " 2026-01-05T00:00:00Z",
    "\uff12026-01-05T00:00:00Z",
    "2000-01-01T00:00:00Z",
    "1999-12-31T23:00:00-01:00",
    "1999-12-31T23:00:00-00:59",
]
OUTCOMES = ["Deal Won", "Deal Lost", "Order Completed", "Owner Changed"]
STAGES = ["visitor", "lead", "mql", "sql", "opportunity", "customer"]


@dataclass
class Journey:
    """What goes in; `at` is None where the default (the largest receive time) is meant."""

    lines: list[bytes]
    ruleset: bytes
    ranges: str
    at: int | None


@dataclass
class Writer:
    """Writes one journey."""

    rng: Random
    groups: bool
    step: int
    mood: str = "mixed"
    leap: int = 0
    """The idle horizon, where there is one: now and then everybody is away for so long, give or take a millisecond."""
    now: int = START
    largest: int = START
    known: list[str] = field(default_factory=list)
    sent: list[bytes] = field(default_factory=list)
    ids: int = 0

    def lines(self, count: int) -> list[bytes]:
        """Return the lines of a journey; the first has a time."""
        self.sent.append(self.encode(self.timed({"type": "page", "anonymousId": "a"}, plain=True)))
        while len(self.sent) < count:
            self.sent.append(self.line())
        return self.sent

    def line(self) -> bytes:
        """Return the next line."""
        roll = self.rng.random()
        if roll < 0.04:
            return self.rng.choice(self.sent[-30:])
        if roll < 0.08:
            return self.bad()
        self.tick()
        return self.encode(self.timed(self.event()))

    def tick(self) -> None:
        """Let time pass: a little, a lot, or exactly as long as a rule counts."""
        if self.leap and self.rng.random() < 0.03:
            self.now += self.leap + self.rng.choice([-1, 0, 1])
        roll = self.rng.random()
        if roll < 0.08:
            self.now += self.rng.choice([6 * HOUR, 3 * DAY, 30 * DAY, 2 * DAY, 30 * MINUTE]) + self.rng.choice([-1, 0, 1])
        elif roll < 0.12:
            self.now += self.step * 40
        elif roll > 0.1 + 0.08:
            self.now += int(self.rng.expovariate(1 / self.step))

    def encode(self, event: dict[str, Any]) -> bytes:
        """Return the line of an event, with a messageId most of the time."""
        roll = self.rng.random()
        if roll < 0.85:
            self.ids += 1
            event["messageId"] = f"m-{self.ids}"
        elif roll < 0.9:
            event["messageId"] = self.rng.choice(["", None])
        return json.dumps(event).encode()

    def timed(self, event: dict[str, Any], *, plain: bool = False) -> dict[str, Any]:
        """Give an event its times: on time, late, from a skewed clock, from the future, or none."""
        rng, now = self.rng, self.now
        self.largest = max(self.largest, now)
        roll = rng.random()
        late = rng.choice([0, 0, SECOND, HOUR, int(rng.random() * 30 * DAY)])
        if plain or roll < 0.35:
            event["timestamp"] = instant_text(now)
        elif roll < 0.6:
            event |= {"receivedAt": instant_text(now), "timestamp": instant_text(now - late)}
        elif roll < 0.7:
            skew = rng.choice([0, 5 * HOUR, -3 * DAY])
            event |= {"receivedAt": instant_text(now), "sentAt": instant_text(now + skew)}
            event["originalTimestamp"] = instant_text(now + skew - late)
        elif roll < 0.75:
            event |= {"sentAt": instant_text(now), "originalTimestamp": instant_text(now - late)}
        elif roll < 0.8:
            event |= {"receivedAt": instant_text(now), "timestamp": instant_text(now + 2 * DAY)}
        elif roll < 0.85:
            back = int(rng.random() * 2 * DAY)
            event |= {"receivedAt": instant_text(now - back), "originalTimestamp": instant_text(now - back - late)}
        elif roll < 0.87 and self.mood == "odd":
            event |= {"receivedAt": instant_text(now), "timestamp": rng.choice(ODD_TIMES)}
        elif roll < 0.92:
            text = str(instant_text(now)).replace("T", rng.choice([" ", "t"])).replace("Z", rng.choice(["999z", "+00:00"]))
            event["timestamp"] = text
        return event

    # Events

    def event(self) -> dict[str, Any]:
        """Return one event without times."""
        kinds = [self.page, self.track, self.identify, self.crm, self.by_lead, self.alias, self.group, self.junk]
        weights = [30, 30, 14, 8, 5, 3, 9 if self.groups else 0, 2]
        if self.mood == "crm":
            weights = [10, 20, 14, 40, 5, 3, 0, 0]
        event = self.rng.choices(kinds, weights)[0]()
        context = event.setdefault("context", {})
        bot = self.rng.random() < 0.03 and not any(e["type"] == "lead" for e in context.get("externalIds", []))
        context["userAgent"] = BOT if bot else HUMAN
        if self.rng.random() < 0.25:
            context["ip"] = self.rng.choice(ODD_ADDRESSES if self.mood == "odd" else ADDRESSES)
        if self.rng.random() < 0.05 and event["type"] != "identify":
            context["traits"] = self.person_traits()
        return event

    def who(self) -> dict[str, Any]:
        """Return who does something: a cookie, a user, both, or somebody else's id."""
        rng, roll = self.rng, self.rng.random()
        if self.mood == "dense":
            return self.user({}) if roll < 0.6 else {"anonymousId": "a"}
        if roll < 0.4:
            return {"anonymousId": rng.choice(COOKIES)}
        if roll < 0.75:
            return self.user({})
        if roll < 0.85:
            return self.user({"anonymousId": rng.choice(COOKIES)})
        return {"anonymousId": rng.choice(COOKIES[:2]), "context": {"externalIds": [self.external()]}}

    def user(self, event: dict[str, Any]) -> dict[str, Any]:
        """Add a registered user."""
        users = ODD_USERS if self.mood == "odd" else USERS[:1] if self.mood == "dense" else USERS
        event["userId"] = self.rng.choice(users)
        name = f"user::{event['userId']}"
        if name not in self.known:
            self.known.append(name)
        return event

    def external(self) -> dict[str, Any]:
        """Return one of `context.externalIds`."""
        rng = self.rng
        return rng.choice(
            [
                {"type": "email", "id": rng.choice(MAILS)},
                {"type": "mobile", "id": rng.choice(PHONES)},
                {"type": "crm_lead_id", "id": rng.choice(CRMS)},
                {"type": "wechat_unionid", "id": "union-1"},
                {"type": "wechat_openid", "id": "oX", "scope": "wx1"},
                {"type": "wechat_openid", "id": "oX"},
                {"type": "weibo", "id": 77},
                {"type": "a:b", "id": "no"},
            ]
        )

    def page(self) -> dict[str, Any]:
        """Return a page or screen view."""
        rng = self.rng
        event = {"type": rng.choice(["page", "page", "page", "screen"]), **self.who()}
        host = rng.choice(["www.Acme.example", "u:p@shop.example:8443", "wechat.example"])
        page: dict[str, Any] = {"path": rng.choice(PATHS)}
        if self.mood == "odd":
            page["url"] = rng.choice(ODD_URLS)
        elif rng.random() < 0.7:
            page["url"] = f"https://{host}{page['path']}"
        if rng.random() < 0.2:
            page |= {"title": "Prices & more", "search": "?q=1", "referrer": "https://search.example/x"}
        context = event.setdefault("context", {})
        context["page"] = page
        if rng.random() < 0.2:
            context["campaign"] = {"name": rng.choice(["spring26", "autumn", "none"]), "medium": "wechat"}
        if rng.random() < 0.1:
            context["channel"] = rng.choice(["wechat", "web"])
        if rng.random() < 0.4:
            topics = [rng.choice(TOPICS) for _ in range(rng.choice([1, 2, 4]))]
            event["properties"] = {"topics": topics if rng.random() < 0.7 else rng.choice(TOPICS)}
        if rng.random() < 0.4:
            event.setdefault("properties", {})["dwell_s"] = rng.choice([0, 7, 10, 59.9, 60, 600, -1, "9", True])
        return event

    def track(self) -> dict[str, Any]:
        """Return something done."""
        rng = self.rng
        properties = rng.choice(
            [
                {},
                {},
                {},
                {"amount": rng.choice([999, 1000, 5000.0, "1000"])},
                {"flag": rng.choice([True, 1])},
                {"count": rng.choice([3, 3.0, "3", True])},
                {"deep": {"er": rng.choice(["ONE", "twelve", ["x", "two"], None])}},
                {"topics": "cloud", "url": "http://x.example/acquisition/"},
            ]
        )
        return {"type": "track", "event": rng.choice(TRACKS), "properties": properties, **self.who()}

    def person_traits(self) -> dict[str, Any]:
        """Return who somebody is, without addresses."""
        rng = self.rng
        return rng.choice(
            [
                {"title": rng.choice(["Head of IT", "Student", None, "CTO"])},
                {"company": {"industry": rng.choice(["oil", "Energy", "retail", None])}},
                {"bant": {"budget": rng.choice([True, False, "true"]), "authority": rng.choice(["Yes", "no"])}},
                {"bant": {"need": rng.choice([2, 3, 4]), "timing": rng.choice(["soon", None])}},
                {"products": rng.choice([["CRM", "x"], ["y"], "erp"])},
                {"name": "Li"},
            ]
        )

    def identify(self) -> dict[str, Any]:
        """Return somebody saying who they are."""
        rng = self.rng
        event: dict[str, Any] = {"type": "identify"}
        if rng.random() < 0.6:
            event["anonymousId"] = rng.choice(COOKIES[:1] if self.mood == "dense" else COOKIES)
        if rng.random() < 0.5 or "anonymousId" not in event:
            self.user(event)
        traits = self.person_traits()
        if rng.random() < 0.5:
            traits["email"] = rng.choice(MAILS + ODD_MAILS if self.mood == "odd" else MAILS)
        if rng.random() < 0.2:
            traits["phone"] = rng.choice(PHONES)
        if rng.random() < 0.1:
            event["context"] = {"traits": traits}
        else:
            event["traits"] = traits
        return event

    def crm(self) -> dict[str, Any]:
        """Return what a CRM sends: moves, echoes, deals."""
        rng = self.rng
        event: dict[str, Any] = {"type": "track", "event": "Lead Stage Changed"}
        event["properties"] = {"stage": rng.choice(STAGES)}
        if rng.random() < 0.15:
            event["properties"]["changedBy"] = rng.choice(["leadstream", "leadstream", "anna"])
        if rng.random() < 0.2:
            event |= {"event": rng.choice(OUTCOMES), "properties": self.outcome()}
        return self.addressed(event)

    def outcome(self) -> dict[str, Any]:
        """Return what a CRM may say of a deal, an order or an owner, some of it odd."""
        rng = self.rng
        said = {
            "owner": rng.choice(["anna", " ben ", 7, None, "", True, {"id": 1}]),
            "amount": rng.choice([100, 12.5, "100", None]),
            "total": rng.choice([10, 20.25, -5, "10", None, False]),
            "currency": rng.choice(["EUR", " usd", "euro", None, 7]),
            "order_id": rng.choice(["A-1", "A-2", 3, "null", None, ["A-1"]]),
            "reason": rng.choice(["the price", 4, None, " " * 3]),
        }
        return {name: value for name, value in said.items() if rng.random() < 0.8}

    def addressed(self, event: dict[str, Any]) -> dict[str, Any]:
        """Address an event as a CRM would."""
        rng, roll = self.rng, self.rng.random()
        if roll < 0.4 or not self.known:
            return self.user(event)
        if roll < 0.7:
            outside = {"type": "lead", "id": lead_id(rng.choice(self.known))}
        else:
            outside = {"type": "crm_lead_id", "id": rng.choice(CRMS)}
        event["context"] = {"externalIds": [outside]}
        if rng.random() < 0.2:
            self.user(event)
        return event

    def by_lead(self) -> dict[str, Any]:
        """Return something done by a lead id, perhaps one that nobody has yet."""
        rng = self.rng
        names = ["user::1", "user::2", "user::u-3", "email::buyer@acme.example", "email::me@gmail.com", "crm::00Q7"]
        outside = [{"type": "lead", "id": rng.choice([*map(lead_id, names), *(f"~anon::{cookie}" for cookie in COOKIES[:2])])}]
        if rng.random() < 0.3:
            outside.append({"type": "email", "id": "buyer@acme.example"})
        event = {"type": "track", "event": rng.choice(TRACKS), "context": {"externalIds": outside}}
        return event | ({"anonymousId": rng.choice(COOKIES)} if rng.random() < 0.3 else {})

    def alias(self) -> dict[str, Any]:
        """Return an alias of a cookie."""
        return self.user({"type": "alias", "previousId": self.rng.choice([*COOKIES, "old"])})

    def group(self) -> dict[str, Any]:
        """Return a word on the company."""
        rng = self.rng
        event: dict[str, Any] = {"type": "group", "groupId": rng.choice(["g1", 7, "null"]), "anonymousId": rng.choice(COOKIES)}
        told: dict[str, Any] = rng.choice([{}, {"industry": "oil"}, {"industry": rng.choice(["oil", "retail", None])}])
        told |= rng.choice([{}, {"name": rng.choice(["Acme", "Acme Ltd", None])}, {"domain": "acme.example"}])
        return (self.user(event) if rng.random() < 0.5 else event) | {"traits": told}

    def junk(self) -> dict[str, Any]:
        """Return an event with ids that do not exist beside one that does."""
        rng = self.rng
        return {"type": "page", "userId": rng.choice(JUNK), "anonymousId": rng.choice(COOKIES)}

    def bad(self) -> bytes:
        """Return a line that is a dead letter."""
        rng = self.rng
        deep: Any = 1
        for _ in range(40):
            deep = [deep]
        good = {"type": "page", "anonymousId": "a"}
        bad: list[Any] = [
            b"",
            b"{",
            b'{"type": "page", "anonymousId": NaN}',
            b"\xef\xbb\xbf{}",
            b'{"a": "\\ud800"}',
            b"\xff",
            b'{"type": "page", "anonymousId": "' + b"x" * 262_144 + b'"}',
            [],
            7,
            good | {"properties": {"deep": deep}},
            good | {"properties": {f"k{n}": n for n in range(1000)}},
            good | {"type": None},
            good | {"type": "track"},
            good | {"type": "track", "event": ""},
            good | {"userId": True},
            good | {"groupId": {}},
            good | {"properties": []},
            good | {"context": "x"},
            good | {"context": {"page": 1}},
            good | {"context": {"traits": []}},
            good | {"context": {"externalIds": [1]}},
            good | {"context": {"externalIds": [{"type": "x", "id": []}]}},
            good | {"messageId": 5},
            good | {"type": "track", "event": "Lead Stage Changed"},
            good | {"type": "track", "event": "Lead Stage Changed", "properties": {"stage": "nowhere"}},
            good | {"type": "Page"},
            {"type": "page", "userId": rng.choice(JUNK), "anonymousId": None},
            {"type": "track", "event": "x", "context": {"externalIds": [{"type": "wechat_openid", "id": "oX"}]}},
            good | {"timestamp": rng.choice(["", "2026-01-05", "2026-01-05T00:00:00", "2026-13-01T00:00:00Z"])},
            good | {"timestamp": rng.choice(["1999-12-31T23:59:59.999Z", "2026-01-05T00:00:60Z"])},
            good | {"receivedAt": "2026-01-05T00:00:00+24:00"},
        ]
        chosen = rng.choice(bad)
        return chosen if isinstance(chosen, bytes) else json.dumps(chosen).encode()


def journey(seed: int) -> Journey:
    """Return the journey of a seed: the same for ever, as long as this file stays the same."""
    rng = Random(seed)  # noqa: S311 - chance, not secrets
    groups = rng.random() < 0.4
    step = rng.choice([10 * SECOND, 5 * MINUTE, HOUR, 8 * HOUR, DAY])
    text, horizon = with_horizon(seed, ruleset(seed, groups=groups))
    writer = Writer(rng, groups, step, rng.choice(["mixed", "mixed", "crm", "dense", "odd"]), horizon)
    lines = writer.lines(rng.choice([20, 60, 120, 300]))
    at = None if rng.random() < 0.3 else writer.largest + int(rng.random() * 60 * DAY)
    return Journey(lines, text, RANGES, at)


def with_horizon(seed: int, text: bytes) -> tuple[bytes, int]:
    """Return the ruleset of a seed with the shortest idle horizon it may have, for one seed of three, and that in ms."""
    if seed % 3:
        return text, 0
    days = max(30, math.ceil(10 * Rules(text).longest / DAY))
    return text + f'\n[visitors]\nidle_horizon = "{days}d"\n'.encode(), days * DAY
