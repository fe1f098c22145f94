"""The ruleset as section 6 of the contract tells it, read anew for every question."""

import fnmatch
import hashlib
import math
import re
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from tests.oracle.reading import Event

UNITS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
TOLERANCE = 1e-9


def duration(text: str) -> int:
    """Return milliseconds of `90s`, `15m`, `2h`, `14d`."""
    return int(text[:-1]) * UNITS[text[-1]]


def half_life(table: dict[str, Any], default: float | None) -> float | None:
    """Return the half-life of a table in ms, as `half_life` or as `retention`."""
    if "half_life" in table:
        return float(duration(table["half_life"]))
    if "retention" in table:
        return duration(table["retention"]["after"]) * math.log(2) / math.log(1 / table["retention"]["keep"])
    return default


class Rules:
    """One ruleset file."""

    def __init__(self, text: bytes) -> None:
        self.file: dict[str, Any] = tomllib.loads(text.decode())
        self.id: str = self.file.get("ruleset", {}).get("id", "")
        self.hash = hashlib.sha256(text).hexdigest()[:16]
        self.zone = ZoneInfo(self.file.get("ruleset", {}).get("timezone", "UTC"))
        self.decay = half_life(self.file.get("decay", {}), 14.0 * UNITS["d"]) or 0.0
        self.max_tags: int = self.file.get("decay", {}).get("max_tags", 64)
        self.longest = max([self.decay, *self.named_half_lives()])
        self.floor: float = self.file.get("interest", {}).get("floor", 0)
        self.hold = duration(self.file.get("crm", {}).get("hold", "14d"))
        told = self.file.get("visitors", {}).get("idle_horizon")
        self.horizon: float = float("inf") if told is None else duration(told)
        self.max_members: int = self.file.get("identity", {}).get("max_members", 64)
        self.typed_email: str = self.file.get("identity", {}).get("typed_email", "B")
        self.stages = [{"name": "visitor", "order": 0, "owner": "engine", "enter": None}]
        for order, stage in enumerate(self.file.get("stages", []), 1):
            self.stages.append({"owner": "engine", **stage, "order": order})
        self.tag_order = list(self.file.get("tags", {}))

    def part(self, name: str) -> dict[str, Any]:
        """Return a table of the file, empty where it is left out."""
        table: dict[str, Any] = self.file.get(name, {})
        return table

    def counts(self, told: int, at: int) -> bool:
        """Tell whether what was told of a job at one instant is young enough at another: 2^(-age / half-life) >= the least."""
        if "freshness" not in self.file:
            return True
        table = self.file["freshness"]
        fading = half_life(table, 1461 * UNITS["d"] * math.log(2) / math.log(1 / 0.6)) or 0.0
        least = table.get("min_confidence", 0.5)
        return least == 0 or max(0, at - told) <= fading * math.log2(1 / least)

    def named_half_lives(self) -> list[float]:
        """Return every half-life that behaviours, tags and sequences name."""
        tables = [t for p in ("behaviours", "tags", "sequences") for t in self.part(p).values()]
        return [h for h in (half_life(table, None) for table in tables) if h is not None]

    def stage(self, name: str) -> dict[str, Any]:
        """Return a stage by name."""
        return next(stage for stage in self.stages if stage["name"] == name)

    def day(self, t: int) -> str:
        """Return the calendar day of an event time."""
        return datetime.fromtimestamp(t // 1000, UTC).astimezone(self.zone).date().isoformat()

    def explain_event(self, event: Event) -> None:
        """Fill in what the rules say of an event that is no bot's: behaviour, points before caps, timing, tags."""
        get = event_getter(event)
        matching = ((name, rule) for name, rule in self.part("behaviours").items() if holds(rule["match"], get))
        name, rule = next(matching, ("", None))
        if rule is None:
            return
        event.behaviour = name
        event.intent = rule.get("intent", "contextual")
        event.journey = rule.get("journey")
        event.points = float(rule.get("points", 0))
        event.half_life = self.longest if event.points < 0 else half_life(rule, self.decay) or 0.0
        event.timing = float(self.part("timing").get(event.journey, 0)) if event.journey else 0.0
        weight = rule.get("weight", 1.0) * self.where(get) * self.dwell(get)
        event.tags = [(tag, weight, h) for tag, h in self.tags(get).items()]

    def where(self, get: Callable[[str], Any]) -> float:
        """Return the weight of the touch point."""
        weights = (rule["weight"] for rule in self.part("where").values() if holds(rule["match"], get))
        return float(next(weights, 1.0))

    def dwell(self, get: Callable[[str], Any]) -> float:
        """Return the factor for the time on the page."""
        rule = self.part("dwell")
        if not rule:
            return 1.0
        seconds = get(f"properties.{rule['property']}")
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < math.inf:
            return 1.0
        reached = [factor for at, factor in rule["steps"] if seconds >= at]
        return float(reached[-1] if reached else rule["steps"][0][1])

    def tags(self, get: Callable[[str], Any]) -> dict[str, float]:
        """Return {tag: half-life}, each tag once."""
        rules = self.part("tags")
        from_half_lives = [half_life(rule, self.decay) for rule in rules.values() if "from" in rule]
        default = from_half_lives[0] if from_half_lives else self.decay
        explicit = {n: half_life(rule, default) or 0.0 for n, rule in rules.items() if "from" not in rule}
        found: dict[str, float] = {}
        for name, rule in rules.items():
            if "match" in rule and not holds(rule["match"], get):
                continue
            given = [name]
            if "from" in rule:
                told = get(rule["from"])
                texts = [v.strip().lower() for v in (told if isinstance(told, list) else [told]) if isinstance(v, str)]
                given = [text for text in texts if 1 <= len(text) <= 64]
            for tag in given:
                found.setdefault(tag, explicit.get(tag, half_life(rule, self.decay) or 0.0))
        return found

    def fit(self, get: Callable[[str], Any]) -> dict[str, float]:
        """Return {name: points} of every match."""
        return {name: float(rule["points"]) for name, rule in self.part("fit").items() if holds(rule["match"], get)}

    def grade(self, matched: dict[str, float]) -> str:
        """Return the best grade whose conditions hold."""
        letters = {self.part("fit")[name].get("bant") for name in matched} - {None}
        have = {"bant": float(len(letters)), "fit": sum(matched.values())}
        for letter in sorted(self.part("grades")):
            options = self.part("grades")[letter]
            for option in options if isinstance(options, list) else [options]:
                if all(have[key] >= least - TOLERANCE for key, least in option.items()):
                    return letter
        return "D"

    def route(self, get: Callable[[str], Any]) -> str:
        """Return the first matching route."""
        return next((str(r["route"]) for r in self.file.get("routes", []) if holds(r["match"], get)), "nurture")


def enters(stage: dict[str, Any], score: dict[str, Any]) -> bool:
    """Tell whether every condition of `enter` holds."""
    bounds = stage.get("enter")
    return bounds is not None and all(reaches(key, least, score) for key, least in bounds.items())


def exits(stage: dict[str, Any], score: dict[str, Any]) -> bool:
    """Tell whether any condition of `exit` is missed."""
    return any(not reaches(key, least, score) for key, least in (stage.get("exit") or {}).items())


def reaches(key: str, least: Any, score: dict[str, Any]) -> bool:
    """Tell whether one bound is reached."""
    if key == "identified":
        return bool(least)
    if key == "grade":
        return bool(score["grade"] <= least)
    return bool(score[key] >= least - TOLERANCE)


def holds(match: dict[str, Any], get: Callable[[str], Any]) -> bool:
    """Tell whether every key of a condition holds."""
    return all(fits(wanted, get(key)) for key, wanted in match.items())


def fits(wanted: Any, value: Any) -> bool:  # noqa: PLR0911 - one line a kind
    """Tell whether one value is what a condition wants."""
    if isinstance(value, list):
        return any(fits(wanted, one) for one in value)
    if isinstance(wanted, list):
        return any(fits(one, value) for one in wanted)
    if isinstance(wanted, dict):
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return bool(wanted.get("gte", -math.inf) <= value <= wanted.get("lte", math.inf))
    if isinstance(wanted, str):
        return isinstance(value, str) and glob(wanted.lower(), value.lower())
    if isinstance(wanted, bool) or isinstance(value, bool):
        return wanted is value
    return isinstance(value, int | float) and value == wanted


def glob(pattern: str, text: str) -> bool:
    """Tell whether a text is what a glob describes."""
    return fnmatch.fnmatchcase(text, pattern) or (pattern.endswith("/*") and fnmatch.fnmatchcase(text, pattern[:-2]))


def event_getter(event: Event) -> Callable[[str], Any]:
    """Return how a condition reads an event."""
    body, context = event.body, event.context
    page, campaign = context.get("page") or {}, context.get("campaign") or {}
    properties = body.get("properties") or {}
    plain = {
        "type": event.type,
        "event": body.get("event"),
        "title": page.get("title"),
        "search": page.get("search"),
        "referrer": page.get("referrer"),
        "url": bare_url(page, properties),
        "channel": first_text(context.get("channel"), campaign.get("medium")),
        "email_kind": event.email_kind,
        "phone_kind": event.phone_kind,
    }

    def get(key: str) -> Any:
        if key in plain:
            return plain[key]
        head, _, name = key.partition(".")
        if head == "traits":
            return event.traits.get(name)
        if head == "company":
            return company_column(event.company, name)
        return dig(properties if head == "properties" else campaign, name)

    return get


def first_text(*values: Any) -> Any:
    """Return the first that is a text."""
    return next((value for value in values if isinstance(value, str)), None)


def dig(table: Any, path: str) -> Any:
    """Return the value at a dotted path."""
    for name in path.split("."):
        if not isinstance(table, dict):
            return None
        table = table.get(name)
    return table


def bare_url(page: dict[str, Any], properties: dict[str, Any]) -> str | None:
    """Return host and path without scheme, user, query, fragment and trailing slash."""
    url = first_text(page.get("url"), properties.get("url"), page.get("path"))
    if url is None:
        return None
    text = re.split(r"[?#]", url, maxsplit=1)[0]
    if "://" in text:
        host, slash, path = text.split("://", 1)[1].partition("/")
        text = host.rsplit("@", 1)[-1] + slash + path
    return text.removesuffix("/")


def company_column(company: dict[str, Any] | None, name: str) -> Any:
    """Return a member of a company; `known` tells whether there is one."""
    if name == "known":
        return company is not None
    value = (company or {}).get(name)
    return None if value == "" else value


def chain_end(steps: list[str], times: dict[str, list[int]], within: int) -> int | None:
    """Return the earliest last step of a chain: from every start, always the next event there is."""
    ends = [chain_from(start, steps, times) for start in times.get(steps[0], [])]
    return min((end for start, end in ends if end is not None and end - start <= within), default=None)


def chain_from(start: int, steps: list[str], times: dict[str, list[int]]) -> tuple[int, int | None]:
    """Return (start, last step or None) of the quickest chain from one start."""
    left = {name: sorted(ts) for name, ts in times.items()}
    left[steps[0]].remove(start)
    at = start
    for name in steps[1:]:
        later = [t for t in left.get(name, []) if t >= at]
        if not later:
            return start, None
        at = later[0]
        left[name].remove(at)
    return start, at
