"""What the demo says of each fact, and of all of them at the end."""

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from rich.markup import escape

from stream.domain import instants

Fact = dict[str, Any]

ARROWS = {"up": "[green]▲[/]", "down": "[red]▼[/]", "same": "[yellow]■[/]"}
DAY_MS = 86_400_000


def line(fact: Fact) -> str:
    """Return a line in rich's markup about one fact of `stage-changes`."""
    return _stage_change(fact) if fact["type"] == "lead.stage_changed.v1" else _of_a_person(fact)


def _stage_change(fact: Fact) -> str:
    data = fact["data"]
    stage, score = data["stage"], data["score"]
    ends = "" if score["nextCrossingAt"] is None else f", {score['nextStageIfIdle']} on {clock(score['nextCrossingAt'])}"
    return (
        f"{clock(fact['time']):9} {ARROWS[stage['direction']]} [bold]{escape(name_of(data))}[/]{escape(company_of(data))}: "
        f"{stage['from']['name']} → [bold]{stage['to']['name']}[/] "
        f"[cyan]{escape(data['reason']['text'] or data['reason']['code'])}[/] "
        f"[dim]({data['reason']['code']}; {score['total']:.0f} points, {score['grade']}, {data['route']}{ends})[/]"
    )


def _of_a_person(fact: Fact) -> str:
    data, at = fact["data"], f"{clock(fact['time']):9}"
    match fact["type"]:
        case "lead.merged.v1":
            return f"{at} [magenta]⇄[/] {fact['subject']} is the same person as {data['into']}"
        case "identity.conflict.v1":
            return f"{at} [magenta]≠[/] {escape(' and '.join(data['ids']))} stay apart ({data['code']})"
        case other:
            return f"{at} [magenta]•[/] {fact['subject']}: {other}"


def visitor_line(visitor: Fact) -> str:
    """Return a line in rich's markup about a visitor nobody knows, and the company behind its address."""
    tags = ", ".join(f"{escape(tag['tag'])} {tag['weight']:.1f}" for tag in visitor["tags"][:3]) or "no topic yet"
    company = escape(visitor["company"]["name"])
    return (
        f"{clock(visitor['asOf']):9} [blue]◌[/] somebody at [bold]{company}[/] [dim]({escape(visitor['id'])})[/]: "
        f"{visitor['interest']:.0f} points of interest in {visitor['events']} events; [cyan]{tags}[/]"
    )


def name_of(data: Fact) -> str:
    """Return how a person would call the lead."""
    lead = data["lead"]
    external = [entry["id"] for entry in lead["externalIds"]]
    names = (lead["traits"].get("name"), lead["traits"].get("email"), *external, lead["userId"], lead["id"])
    return str(next(name for name in names if name))


def company_of(data: Fact) -> str:
    """Return the account in brackets, nothing where there is none."""
    account = data["account"]
    return f" ({account['name'] or account['id']})" if account else ""


def clock(instant: str) -> str:
    """Return an instant of today as a time, another day as a date; both UTC.

    >>> clock("2000-01-02T10:00:00.000Z")
    '02 Jan 00'
    """
    moment = instants.parse(instant) // 1000
    today = abs(moment * 1000 - int(time.time() * 1000)) < DAY_MS // 2
    return time.strftime("%H:%M:%S" if today else "%d %b %y", time.gmtime(moment))


@dataclass
class Tally:
    """What came so far. Durations are seconds from the command's start."""

    started: float
    sent: int = 0
    first_s: float | None = None
    reasons: Counter[str] = field(default_factory=Counter)
    stages: dict[str, str] = field(default_factory=dict)

    def take(self, fact: Fact) -> None:
        """Count a fact."""
        if fact["type"] != "lead.stage_changed.v1":
            self.reasons[fact["type"]] += 1
            self.stages.pop(fact["subject"], None)
            return
        if self.first_s is None:
            self.first_s = time.monotonic() - self.started
        self.reasons[fact["data"]["reason"]["code"]] += 1
        self.stages[fact["subject"]] = fact["data"]["stage"]["to"]["name"]

    @property
    def changes(self) -> int:
        """How many stage changes came."""
        return sum(count for reason, count in self.reasons.items() if "." not in reason)

    def summary(self) -> str:
        """Return all of it in three lines."""
        reasons = ", ".join(f"{count} {reason}" for reason, count in self.reasons.most_common()) or "none"
        leads = ", ".join(f"{count} {stage}" for stage, count in Counter(self.stages.values()).most_common()) or "none"
        first = "" if self.first_s is None else f", the first after {self.first_s:.1f} s"
        return f"{self.sent} events sent, {self.changes} stage changes{first}\nreasons: {reasons}\nleads: {leads}"
