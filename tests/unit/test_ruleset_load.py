"""What a ruleset file means once it is read."""

import math
from hashlib import sha256

import pytest

from stream.domain.ruleset import Ruleset, load
from stream.domain.ruleset.model import Idle, Sequence, Stage
from stream.rulesets import default_text

DAY = 86_400_000
EXAMPLE = """
[ruleset]
id = "example"
timezone = "UTC"
[decay]
half_life = "14d"
max_tags = 64
[where.product]
match = { url = "*/products/*" }
weight = 1.0
[behaviours.tried]
match = { type = "track", event = "Trial Started" }
weight = 1.0
points = 30
half_life = "30d"
cap = { points = 60 }
intent = "direct"
journey = "decision"
[behaviours.attended-meeting]
match = { type = "track", event = "Meeting Attended" }
points = 50
[behaviours.watched-broadcast]
match = { type = "track", event = "Broadcast Watched" }
points = 30
[behaviours.viewed]
match = { type = "page" }
points = 1
[tags.customer-acquisition]
match = { url = "*/acquisition*" }
half_life = "30d"
[tags.topics]
from = "properties.topics"
[dwell]
property = "dwell_s"
steps = [[0, 0.5], [10, 1.0], [60, 1.5]]
[timing]
awareness = 0
consideration = 5
decision = 15
[sequences.site-meeting-broadcast]
steps = ["viewed", "attended-meeting", "watched-broadcast"]
within = "30d"
points = 20
half_life = "30d"
[interest]
floor = 0
[idle]
after = "30d"
points = -30
[fit.energy]
match = { "traits.company.industry" = ["oil", "energy"] }
points = 20
[fit.budget]
match = { "traits.bant.budget" = true }
points = 10
bant = "budget"
[fit.free-mail]
match = { email_kind = ["free", "disposable"] }
points = -20
[grades]
A = [{ bant = 4 }, { bant = 3, fit = 30 }]
B = { bant = 2 }
C = { bant = 1 }
[[stages]]
name = "lead"
enter = { identified = true }
[[stages]]
name = "mql"
enter = { interest = 100, grade = "C" }
exit = { interest = 80 }
dwell = "0s"
[[stages]]
name = "sql"
enter = { total = 300, grade = "A" }
exit = { total = 240 }
[[stages]]
name = "opportunity"
owner = "crm"
[crm]
hold = "14d"
[[routes]]
match = { stage = "sql" }
route = "sales"
[identity]
max_members = 64
typed_email = "B"
[accounts]
kinds = ["business"]
min_confidence = 0.6
anonymous = 0.5
[[accounts.stages]]
name = "engaged"
enter = { score = 100, people = 2 }
exit = { score = 60 }
"""


def read(text: str) -> Ruleset:
    return load(text.encode())


def test_the_example_of_the_contract_loads() -> None:
    ruleset = read(EXAMPLE)

    assert (ruleset.id, ruleset.half_life_ms, ruleset.max_tags) == ("example", 14 * DAY, 64)
    assert ruleset.stages == (
        Stage("lead", 1, enter={"identified": True}),
        Stage("mql", 2, enter={"interest": 100.0, "grade": "C"}, exit={"interest": 80.0}),
        Stage("sql", 3, enter={"total": 300.0, "grade": "A"}, exit={"total": 240.0}),
        Stage("opportunity", 4, owner="crm"),
    )
    assert ruleset.grades == (("A", ({"bant": 4}, {"bant": 3, "fit": 30})), ("B", ({"bant": 2},)), ("C", ({"bant": 1},)))
    assert ruleset.sequences["site-meeting-broadcast"] == Sequence(
        "site-meeting-broadcast", ("viewed", "attended-meeting", "watched-broadcast"), 30 * DAY, 20.0, 30.0 * DAY
    )
    assert ruleset.sequenced == {"viewed", "attended-meeting", "watched-broadcast"}
    assert ruleset.behaviours["tried"].cap == 60.0
    assert ruleset.behaviours["viewed"].half_life_ms == 14 * DAY
    assert ruleset.idle == Idle(30 * DAY, -30.0)
    assert ruleset.fit["budget"].bant == "budget"
    assert ruleset.accounts.stages == (Stage("engaged", 1, enter={"score": 100.0, "people": 2.0}, exit={"score": 60.0}),)


def test_the_shipped_ruleset_has_the_numbers_a_marketer_expects() -> None:
    ruleset = load(default_text())
    points = {name: behaviour.points for name, behaviour in ruleset.behaviours.items()}
    stages = {stage.name: stage for stage in ruleset.stages}

    assert ruleset.id == "b2b-default"
    assert points["attended-meeting"] == 50
    assert points["watched-broadcast"] == 30
    assert points["downloaded"] == points["viewed-price"] == 10
    assert (points["viewed-case-study"], points["viewed"], points["viewed-careers"]) == (5, 1, -10)
    assert (stages["mql"].enter, stages["mql"].exit) == ({"interest": 60}, {"interest": 40})
    assert (stages["sql"].enter, stages["sql"].exit) == ({"total": 120, "grade": "B"}, {"total": 90})
    assert {name for name, stage in stages.items() if stage.owner == "crm"} == {
        *("opportunity", "customer", "onboarding", "active", "renewal", "churned"),
    }
    assert (ruleset.idle, ruleset.floor, ruleset.hold_ms) == (Idle(30 * DAY, -30), 0, 14 * DAY)


def test_what_is_left_out_has_the_values_of_the_contract() -> None:
    ruleset = read("")

    assert (ruleset.max_tags, ruleset.max_members) == (64, 64)
    assert ruleset.hold_ms == 14 * DAY
    assert ruleset.floor == 0.0
    assert ruleset.idle is None
    assert ruleset.grades == ()
    assert ruleset.dwell is None
    assert (ruleset.stages, ruleset.routes) == ((), ())
    assert ruleset.timing == {"awareness": 0, "consideration": 0, "decision": 0}
    assert ruleset.accounts.kinds == {"business"}
    assert ruleset.traits_out == ("email", "phone", "name", "title", "company")


def test_the_hash_is_of_the_bytes_of_the_file() -> None:
    text = EXAMPLE.encode() + b"# a remark\r\n"

    assert load(text).hash == sha256(text).hexdigest()[:16]
    assert load(text).text == text


def test_a_file_saved_by_a_windows_editor_is_read_as_well() -> None:
    text = b"\xef\xbb\xbf" + EXAMPLE.replace("\n", "\r\n").encode()

    assert load(text).id == "example"


@pytest.mark.parametrize(
    ("after", "keep", "days"),
    [("7d", 0.5, 7.0), ("14d", 0.25, 7.0), ("7d", 0.7, 7 * math.log(2) / math.log(1 / 0.7)), ("24h", 0.5, 1.0)],
)
def test_a_retention_is_another_way_to_write_a_half_life(after: str, keep: float, days: float) -> None:
    ruleset = read(f'[decay]\nretention = {{ after = "{after}", keep = {keep} }}')

    assert ruleset.half_life_ms == pytest.approx(days * DAY, rel=1e-12)


@pytest.mark.parametrize(
    "rule",
    [
        '[behaviours.slow]\nmatch = {}\nhalf_life = "90d"',
        '[tags.slow]\nmatch = {}\nhalf_life = "90d"',
        '[tags.slow]\nfrom = "properties.x"\nhalf_life = "90d"',
        '[sequences.slow]\nsteps = ["bad"]\nwithin = "1d"\nhalf_life = "90d"',
        '[decay]\nhalf_life = "90d"',
    ],
)
def test_negative_points_fade_with_the_longest_half_life_of_the_file(rule: str) -> None:
    bad = '\n[behaviours.bad]\nmatch = {}\npoints = -1\n[sequences.bad]\nsteps = ["bad"]\nwithin = "1d"\npoints = -1\n'
    ruleset = read(rule + bad)

    assert ruleset.longest_half_life_ms == 90 * DAY
    assert ruleset.behaviours["bad"].half_life_ms == 90 * DAY
    assert ruleset.sequences["bad"].half_life_ms == 90 * DAY


def test_the_order_of_tags_is_that_of_the_file() -> None:
    ruleset = read('[tags.b]\nmatch = {}\n[tags.topics]\nfrom = "properties.x"\n[tags.a]\nmatch = {}')

    assert ruleset.tag_order == {"b": 0, "a": 1}


def test_a_dwell_of_nothing_and_a_hold_of_nothing_are_allowed() -> None:
    ruleset = read('[[stages]]\nname = "a"\nenter = { total = 1 }\ndwell = "0s"\n[crm]\nhold = "0s"')

    assert (ruleset.stages[0].dwell_ms, ruleset.hold_ms) == (0, 0)


def test_an_empty_exit_is_no_exit() -> None:
    assert read('[[stages]]\nname = "a"\nenter = { total = 1 }\nexit = {}').stages[0].exit is None


def test_an_exit_may_keep_the_grade_of_enter_or_a_worse_one() -> None:
    grades = "[grades]\nA = { bant = 4 }\nB = { bant = 2 }\n"
    ruleset = read(grades + '[[stages]]\nname = "a"\nenter = { grade = "A" }\nexit = { grade = "B" }')

    assert ruleset.stages[0].exit == {"grade": "B"}


def test_conditions_on_traits_may_be_written_without_quotes() -> None:
    ruleset = read("[fit.budget]\nmatch = { traits.bant.budget = true }")

    assert ruleset.fit["budget"].match.holds({"traits.bant.budget": True}.get)


def test_a_route_may_ask_for_what_was_decided() -> None:
    ruleset = read(
        '[[stages]]\nname = "mql"\nenter = { total = 1 }\n[[routes]]\nroute = "sales"\n'
        'match = { stage = "MQL", grade = "D", intent = "direct", journey = ["decision", "consideration"] }'
    )
    known = {"stage": "mql", "grade": "D", "intent": "direct", "journey": "decision"}

    assert ruleset.routes[0].match.holds(known.get)
    assert not ruleset.routes[0].match.holds({**known, "intent": "contextual"}.get)


@pytest.mark.parametrize(
    ("seconds", "factor"),
    [(0, 0.5), (9.9, 0.5), (10, 1.0), (59, 1.0), (60, 1.5), (10**30, 1.5), (True, 1.0), ("60", 1.0), (-1, 1.0), (None, 1.0)],
)
def test_the_last_step_reached_says_how_much_the_time_on_the_page_counts(seconds: object, factor: float) -> None:
    dwell = read("[dwell]\nproperty = 'read_s'\nsteps = [[5, 0.5], [10, 1], [60, 1.5]]").dwell

    assert dwell is not None
    assert dwell.factor({"read_s": seconds, "dwell_s": 60}) == factor
    assert dwell.factor({"read_s": float("inf")}) == dwell.factor({}) == 1.0


# 2026-03-29 01:00 UTC Berlin goes from +01:00 to +02:00; Adelaide is +10:30 in January.
@pytest.mark.parametrize(
    ("zone", "t_ms", "day"),
    [
        ("UTC", 0, 0),
        ("UTC", DAY - 1, 0),
        ("UTC", DAY, 1),
        ("Etc/UTC", DAY, 1),
        ("Europe/Berlin", 20_541 * DAY - 3_600_000 - 1, 20_540),
        ("Europe/Berlin", 20_541 * DAY - 3_600_000, 20_541),
        ("Europe/Berlin", 20_542 * DAY - 7_200_000 - 1, 20_541),
        ("Europe/Berlin", 20_542 * DAY - 7_200_000, 20_542),
        ("America/New_York", 20_454 * DAY, 20_453),
        ("Australia/Adelaide", 20_454 * DAY + 13 * 3_600_000 + 1_800_000 - 1, 20_454),
        ("Australia/Adelaide", 20_454 * DAY + 13 * 3_600_000 + 1_800_000, 20_455),
        ("Asia/Shanghai", 10**17, 2_932_895),
    ],
)
def test_days_begin_at_midnight_of_the_time_zone(zone: str, t_ms: int, day: int) -> None:
    assert read(f'[ruleset]\ntimezone = "{zone}"').day_of(t_ms) == day


def test_nobody_is_forgotten_where_no_horizon_is_said() -> None:
    assert read("").idle_horizon_ms == math.inf


def test_the_shipped_horizon_leaves_less_than_a_thousandth() -> None:
    rules = load(default_text())

    assert rules.idle_horizon_ms == 900 * DAY
    assert 2 ** -(rules.idle_horizon_ms / rules.longest_half_life_ms) < 1 / 1000


def test_a_horizon_of_ten_half_lives_and_thirty_days_is_long_enough() -> None:
    assert read('[decay]\nhalf_life = "3d"\n[visitors]\nidle_horizon = "30d"').idle_horizon_ms == 30 * DAY
