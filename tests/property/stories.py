"""Made-up stories of a few people who keep running into each other, as hypothesis strategies."""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from stream.domain.event import Company, Event, Group, Link
from tests.told import BEHAVIOURS, DAY, HOUR, LADDER, LEAD_1, LEAD_2, MINUTE, START, Log, happened, rules

slow = settings(deadline=None, max_examples=60)
"""A story takes tens of milliseconds."""
RULES = rules(
    BEHAVIOURS
    + """
[timing]
consideration = 5
decision = 15
[idle]
after = "3d"
points = -30
[interest]
floor = -10
[sequences.read-met]
steps = ["viewed", "met"]
within = "20d"
points = 20
[fit.head]
match = { "traits.title" = "head" }
points = 15
[fit.known]
match = { "company.known" = true }
points = 5
[[routes]]
match = { intent = "direct" }
route = "sales"
[identity]
max_members = 4
"""
    + LADDER.replace("exit = { interest = 40 }", 'exit = { interest = 40 }\ndwell = "1d"')
)
STRONG = ["user::1", "user::2", "crm::9", "email::x@acme.example"]
NODES = [*STRONG, "anon::a", "anon::b", "weibo::w", f"lead::{LEAD_1}", f"lead::{LEAD_2}"]
ACME = Company("Acme", "acme.example", "business", 0.9, "ranges", "192.0.2.0/24", "")
GAPS = [0, 1, MINUTE, HOUR, DAY, 3 * DAY, 12 * DAY, 40 * DAY]
names = st.sampled_from(["Asked", "Asked", "Met", "Left", "page", "page", "Lead Stage Changed", "Nothing"])


@st.composite
def events(draw: Any, nodes: list[str] | None = None, *, linking: bool = True, back: bool = False) -> list[Event]:
    """Draw events; receive times never go back unless `back`."""
    made: list[Event] = []
    now = START
    for _ in range(draw(st.integers(1, 14))):
        now += draw(st.sampled_from(GAPS))
        r = now - (draw(st.sampled_from([0, HOUR, 2 * DAY])) if back else 0)
        name, node = draw(names), draw(st.sampled_from(nodes or NODES))
        more: dict[str, Any] = {}
        if linking and not node.startswith("lead:") and draw(st.booleans()):
            other = draw(st.sampled_from([n for n in NODES[:7] if n != node]))
            more["links"] = [Link(other, "business" if other.startswith("email") else "")]
        if name == "Lead Stage Changed":
            more["crm_stage"] = draw(st.sampled_from(["visitor", "lead", "mql", "customer"]))
        if draw(st.integers(0, 3)) == 0:
            more |= draw(
                st.sampled_from(
                    [
                        {"bot": True},
                        {"traits": {"title": "head"}},
                        {"traits": {"title": None}},
                        {"company": ACME},
                        {"group": Group("g")},
                    ]
                )
            )
        if more.get("bot"):
            more = {"bot": True}
        made.append(happened(name, node, r - draw(st.sampled_from([0, 0, 0, HOUR, 10 * DAY])), r=r, **more))
    return made


def logged(story: list[Event], log: Log | None = None) -> Log:
    """Return the log that a story makes."""
    log = log or Log(RULES)
    for event in story:
        log.add(event)
    return log
