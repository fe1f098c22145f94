"""What an event earns its visitor: weights, points and what is left of a cap, which tags stay, traits, groups, companies."""

from typing import Any

import pytest

from stream.domain.event import Company, Event, Group
from stream.domain.ruleset.model import Ruleset
from stream.domain.state import State
from stream.domain.visitor import DAYS
from tests.told import BEHAVIOURS, DAY, HOUR, LADDER, SECOND, START, happened, row_after, rules, worth

A = "anon::a"
ACME = Company("Acme", "acme.example", "business", 0.9, "ranges", "192.0.2.0/24", "")
COLLEGE = Company("College", "college.example", "education", 1.0, "ranges", "198.51.100.0/24", "")


def test_an_event_brings_points_timing_and_tags() -> None:
    row = row_after(happened("Asked", A, START, url="shop.example/pricing"))

    assert worth(row, START) == {"asked": 80.0}
    assert worth(row, START, "tags") == {"pricing": 1.0}
    assert (row.state.journey, row.state.counts) == ("decision", {"asked": 1})
    assert worth(row, START + 10 * DAY) == {"asked": 40.0}


@pytest.mark.parametrize(
    ("where", "weight", "age_days", "expected"),
    [
        pytest.param(1.0, 1.0, 0, 1.0, id="golden: tried just now"),
        pytest.param(0.8, 0.8, 7, 0.448, id="golden: saved in WeChat seven days ago"),
    ],
)
def test_golden_weights(where: float, weight: float, age_days: int, expected: float) -> None:
    ruleset = rules(
        f'[decay]\nretention = {{ after = "7d", keep = 0.7 }}\n[where.x]\nmatch = {{ type = "*" }}\nweight = {where}\n'
        f'[behaviours.x]\nmatch = {{ type = "*" }}\nweight = {weight}\n[tags.x]\nmatch = {{ type = "*" }}\n' + LADDER
    )

    row = row_after(happened("Done", A, START), ruleset=ruleset)

    assert worth(row, START + age_days * DAY, "tags")["x"] == pytest.approx(expected, abs=1e-9)


def test_an_event_without_a_behaviour_is_counted_and_brings_nothing() -> None:
    row = row_after(happened("Nothing known", A, START, url="shop.example/pricing"))

    assert (row.state.events, row.state.points, row.state.tags, row.state.landmark) == (1, {}, {}, 0)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [pytest.param(None, 1.0, id="unknown"), (3, 0.5), (10, 1.0), (90, 1.5)],
)
def test_dwell_scales_weights_and_not_points(seconds: int | None, expected: float) -> None:
    ruleset = rules("[dwell]\nsteps = [[0, 0.5], [10, 1.0], [60, 1.5]]\n" + BEHAVIOURS + LADDER)
    properties = {} if seconds is None else {"dwell_s": seconds}

    row = row_after(happened("page", A, START, url="x/pricing", properties=properties), ruleset=ruleset)

    assert worth(row, START, "tags") == {"pricing": expected}
    assert worth(row, START) == {"viewed": 10.0}


def test_a_weight_of_nothing_makes_no_tag() -> None:
    ruleset = rules('[behaviours.x]\nmatch = { type = "page" }\nweight = 0\n[tags.x]\nmatch = { type = "page" }\n' + LADDER)

    assert row_after(happened("page", A, START), ruleset=ruleset).state.tags == {}


# -- caps


def capped(*, points: int = 10, zone: str = "UTC") -> Ruleset:
    return rules(
        f'[ruleset]\nid = "t"\ntimezone = "{zone}"\n[decay]\nhalf_life = "1000d"\n'
        f'[behaviours.x]\nmatch = {{ type = "page" }}\npoints = {points}\ncap = {{ points = 25 }}\n' + LADDER
    )


@pytest.mark.parametrize(
    ("points", "zone", "hours", "expected"),
    [
        pytest.param(10, "UTC", [0, 1, 2, 3], 25.0, id="the third gives what is left, the fourth nothing"),
        pytest.param(-10, "UTC", [0, 1, 2, 3], -25.0, id="a cap holds per sign"),
        pytest.param(10, "UTC", [22, 22, 23, 24, 24], 45.0, id="midnight opens a new day"),
        pytest.param(10, "Asia/Shanghai", [15, 15, 15, 16], 35.0, id="midnight in Shanghai is 16:00 UTC"),
        pytest.param(10, "America/New_York", [22, 23, 24, 25], 25.0, id="midnight in New York is 05:00 UTC"),
        pytest.param(10, "UTC", [24, 24, 24, 0, 0], 45.0, id="late events fall into their own day"),
    ],
)
def test_a_cap_counts_per_day_of_the_event(points: int, zone: str, hours: list[int], expected: float) -> None:
    row = row_after(*(happened("page", A, START + h * HOUR) for h in hours), ruleset=capped(points=points, zone=zone))

    assert sum(worth(row, START + 25 * HOUR).values()) == pytest.approx(expected, rel=2e-3)
    assert row.state.counts == {"x": len(hours)}


def test_the_newest_days_of_a_cap_are_remembered() -> None:
    row = row_after(*(happened("page", A, START + n * DAY) for n in range(DAYS + 2)), ruleset=capped())

    assert len(row.caps["x"]) == DAYS
    assert min(row.caps["x"]) == START // DAY + 2


# -- tags that leave

FEW = rules(
    '[decay]\nhalf_life = "10d"\nmax_tags = 2\n[behaviours.v]\nmatch = { type = "page" }\n'
    '[tags.zeta]\nmatch = { url = "*zeta*" }\n[tags.alpha]\nmatch = { url = "*alpha*" }\n'
    '[tags.free]\nfrom = "properties.topics"\n' + LADDER
)


def topics(*names: str, url: str = "", day: float = 0) -> Event:
    return happened("page", A, START + int(day * DAY), url=url, properties={"topics": list(names)})


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        pytest.param([topics("a"), topics("b", day=1), topics("c", day=2)], {"b", "c"}, id="the smallest decayed weight leaves"),
        pytest.param([topics("a"), topics("a"), topics("b"), topics("c", day=1)], {"a", "c"}, id="twice weighs more"),
        pytest.param([topics("c", "a", "b")], {"a", "b"}, id="a tie: by code point the last leaves"),
        pytest.param([topics("a", url="zeta/alpha")], {"zeta", "alpha"}, id="a tie: those not in the file leave first"),
        pytest.param([topics("b", url="alpha"), topics("é")], {"alpha", "b"}, id="code points, not bytes of a locale"),
        pytest.param([topics("a", "b", day=5), topics("c", day=1)], {"a", "b"}, id="a late tag may leave at once"),
    ],
)
def test_over_max_tags_the_smallest_leave(events: list[Event], expected: set[str]) -> None:
    row = row_after(*events, ruleset=FEW)

    assert {name for part in row.state.tags.values() for name in part} == expected


def test_a_tie_in_the_file_is_broken_by_file_order() -> None:
    ruleset = rules(FEW.text.decode().replace("max_tags = 2", "max_tags = 1"))

    assert worth(row_after(topics(url="zeta/alpha"), ruleset=ruleset), START, "tags") == {"zeta": 1.0}


# -- far apart


def test_events_years_apart_at_a_half_life_of_a_second() -> None:
    ruleset = rules(BEHAVIOURS.replace('"10d"', '"1s"') + LADDER)
    years = 30 * 365 * DAY

    row = row_after(
        happened("Asked", A, START, url="pricing"), happened("Asked", A, START + years, url="pricing"),
        happened("Asked", A, START + SECOND, url="pricing"), ruleset=ruleset,
    )  # fmt: skip

    assert row.state.landmark == START + years
    assert worth(row, START + years + SECOND) == {"asked": 40.0}
    assert worth(row, START + years, "tags") == {"pricing": 1.0}
    assert worth(row, START + years, "timing") == {}


# -- what is known already


def test_sixteen_times_of_a_behaviour_that_a_sequence_names_are_remembered() -> None:
    ruleset = rules(BEHAVIOURS + '[sequences.s]\nsteps = ["viewed", "met"]\nwithin = "9d"\npoints = 5\n' + LADDER)

    row = row_after(*(happened("page", A, START + n) for n in range(20, 0, -1)), happened("Asked", A, START), ruleset=ruleset)

    assert row.state.times == {"viewed": [START + n for n in range(5, 21)]}


# -- bots


@pytest.mark.parametrize(
    ("told_traits", "expected"),
    [
        pytest.param([(0, {"title": "a"}), (1, {"title": "b"})], "b", id="the newest wins"),
        pytest.param([(1, {"title": "b"}), (0, {"title": "a"})], "b", id="whatever the order"),
        pytest.param([(1, {"title": "b"}), (1, {"title": "a"})], "a", id="equal times: the later applied"),
        pytest.param([(0, {"title": "a"}), (1, {"title": None})], None, id="null deletes"),
        pytest.param([(1, {"title": None}), (0, {"title": "a"})], None, id="and stays deleted against older ones"),
    ],
)
def test_traits_merge_per_leaf(told_traits: list[tuple[int, dict[str, Any]]], expected: Any) -> None:
    row = row_after(*(happened("page", A, START + t, traits=traits) for t, traits in told_traits))

    assert row.state.traits["title"].value == expected


def test_an_address_travels_with_its_kind() -> None:
    row = row_after(happened("page", A, START, traits={"email": "x@y.example", "phone": "1"}, trait_email_kind="business"))

    assert (row.state.traits["email"].kind, row.state.traits["phone"].kind) == ("business", None)


def test_groups_merge_their_traits_and_the_newest_counts() -> None:
    row = row_after(
        happened("page", A, START + 2, group=Group("one", {"name": "One"})),
        happened("page", A, START + 1, group=Group("two", {"name": "Two"})),
        happened("page", A, START, group=Group("one", {"name": "Old", "size": 9})),
    )

    newest = row.state.group()
    assert newest is not None
    assert (newest[0], newest[1].t) == ("one", START + 2)
    assert {path: trait.value for path, trait in newest[1].traits.items()} == {"name": "One", "size": 9}


def test_an_older_group_named_later_is_not_the_newest() -> None:
    row = row_after(*(happened("page", A, START - n, group=Group(name)) for n, name in enumerate(("new", "old"))))

    assert (row.state.group() or ("",))[0] == "new"


def test_equally_new_groups_the_later_applied_counts() -> None:
    row = row_after(*(happened("page", A, START, group=Group(name)) for name in ("one", "two", "one")))

    assert State().group() is None
    assert (row.state.group() or ("",))[0] == "one"


def test_the_newest_company_is_shown_and_the_newest_that_may_names_the_account() -> None:
    row = row_after(
        happened("page", A, START, company=ACME),
        happened("page", A, START + 1, company=COLLEGE),
        happened("page", A, START - 1, company=COLLEGE),
    )

    assert (row.state.company, row.state.company_t) == (COLLEGE, START + 1)
    assert (row.state.account, row.state.account_t) == (ACME, START)


def test_an_older_company_changes_nothing() -> None:
    row = row_after(happened("page", A, START, company=ACME), happened("page", A, START - 1, company=ACME))

    assert (row.state.company_t, row.state.account_t) == (START, START)


# -- who hands on
