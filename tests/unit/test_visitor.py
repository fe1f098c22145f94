"""A visitor's row: what events bring, what is left of a cap, which tags stay, what is known already."""

from typing import Any

import pytest

from stream.domain import decay, visitor
from stream.domain.event import Company, Event, Group, Link
from stream.domain.log import Unreadable
from stream.domain.ruleset.model import Ruleset
from stream.domain.state import NEVER, State
from stream.domain.visitor import DAYS, REMEMBERED, REPLAYS, Outcome, Visitor
from tests.told import BEHAVIOURS, DAY, HOUR, LADDER, SECOND, START, copied, happened, rules

PLAIN = rules()
A, USER = "anon::a", "user::1"
ACME = Company("Acme", "acme.example", "business", 0.9, "ranges", "192.0.2.0/24", "")
COLLEGE = Company("College", "college.example", "education", 1.0, "ranges", "198.51.100.0/24", "")


def told(*events: Event, ruleset: Ruleset = PLAIN) -> Visitor:
    row: Visitor | None = None
    for position, event in enumerate(events, 1):
        row = visitor.apply(row, event, position, ruleset).row
    assert row is not None
    return row


def worth(row: Visitor, at: int, sums: str = "points") -> dict[str, float]:
    return decay.worth(getattr(row.state, sums), row.state.landmark, at)


def test_an_event_brings_points_timing_and_tags() -> None:
    row = told(happened("Asked", A, START, url="shop.example/pricing"))

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

    row = told(happened("Done", A, START), ruleset=ruleset)

    assert worth(row, START + age_days * DAY, "tags")["x"] == pytest.approx(expected, abs=1e-9)


def test_an_event_without_a_behaviour_is_counted_and_brings_nothing() -> None:
    row = told(happened("Nothing known", A, START, url="shop.example/pricing"))

    assert (row.state.events, row.state.points, row.state.tags, row.state.landmark) == (1, {}, {}, 0)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [pytest.param(None, 1.0, id="unknown"), (3, 0.5), (10, 1.0), (90, 1.5)],
)
def test_dwell_scales_weights_and_not_points(seconds: int | None, expected: float) -> None:
    ruleset = rules("[dwell]\nsteps = [[0, 0.5], [10, 1.0], [60, 1.5]]\n" + BEHAVIOURS + LADDER)
    properties = {} if seconds is None else {"dwell_s": seconds}

    row = told(happened("page", A, START, url="x/pricing", properties=properties), ruleset=ruleset)

    assert worth(row, START, "tags") == {"pricing": expected}
    assert worth(row, START) == {"viewed": 10.0}


def test_a_weight_of_nothing_makes_no_tag() -> None:
    ruleset = rules('[behaviours.x]\nmatch = { type = "page" }\nweight = 0\n[tags.x]\nmatch = { type = "page" }\n' + LADDER)

    assert told(happened("page", A, START), ruleset=ruleset).state.tags == {}


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
    row = told(*(happened("page", A, START + h * HOUR) for h in hours), ruleset=capped(points=points, zone=zone))

    assert sum(worth(row, START + 25 * HOUR).values()) == pytest.approx(expected, rel=2e-3)
    assert row.state.counts == {"x": len(hours)}


def test_the_newest_days_of_a_cap_are_remembered() -> None:
    row = told(*(happened("page", A, START + n * DAY) for n in range(DAYS + 2)), ruleset=capped())

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
    row = told(*events, ruleset=FEW)

    assert {name for part in row.state.tags.values() for name in part} == expected


def test_a_tie_in_the_file_is_broken_by_file_order() -> None:
    ruleset = rules(FEW.text.decode().replace("max_tags = 2", "max_tags = 1"))

    assert worth(told(topics(url="zeta/alpha"), ruleset=ruleset), START, "tags") == {"zeta": 1.0}


# -- far apart


def test_events_years_apart_at_a_half_life_of_a_second() -> None:
    ruleset = rules(BEHAVIOURS.replace('"10d"', '"1s"') + LADDER)
    years = 30 * 365 * DAY

    row = told(
        happened("Asked", A, START, url="pricing"), happened("Asked", A, START + years, url="pricing"),
        happened("Asked", A, START + SECOND, url="pricing"), ruleset=ruleset,
    )  # fmt: skip

    assert row.state.landmark == START + years
    assert worth(row, START + years + SECOND) == {"asked": 40.0}
    assert worth(row, START + years, "tags") == {"pricing": 1.0}
    assert worth(row, START + years, "timing") == {}


# -- what is known already


def outcomes(*given: tuple[Event, dict[str, Any]]) -> list[str]:
    row: Visitor | None = None
    verdicts = []
    for position, (event, how) in enumerate(given, 1):
        outcome = visitor.apply(row, event, position, PLAIN, **how)
        row = outcome.row
        verdicts.append(outcome.verdict)
    return verdicts


def numbered(message: bytes) -> Event:
    return happened("page", A, START, message=message)


def test_a_known_message_changes_nothing() -> None:
    first = happened("page", A, START)
    row = told(first)

    outcome = visitor.apply(row, first, 9, PLAIN)

    assert (outcome.verdict, outcome.snapshot, row.position, row.state.events) == ("duplicate", None, 1, 1)


def test_the_last_256_messages_are_known() -> None:
    given: list[tuple[Event, dict[str, Any]]] = [(numbered(n.to_bytes(6, "big")), {}) for n in range(REMEMBERED + 1)]
    again = [given[1], given[REMEMBERED], given[0]]

    assert outcomes(*given, *again)[-3:] == ["duplicate", "duplicate", "applied"]


@pytest.mark.parametrize(
    ("known", "new", "verdict"),
    [
        pytest.param(b"aaabbb", b"bbbccc", "applied", id="across two hashes"),
        pytest.param(b"cccccc", b"cccccc", "duplicate", id="a hash that also fits across"),
        pytest.param(b"cccddd", b"cccddd", "duplicate", id="the second one"),
    ],
)
def test_a_hash_counts_at_its_place_only(known: bytes, new: bytes, verdict: str) -> None:
    assert outcomes((numbered(known), {}), (numbered(b"cccddd"), {}), (numbered(new), {}))[-1] == verdict


def test_a_forward_is_taken_once() -> None:
    events = [happened("page", A, START) for _ in range(4)]
    places: list[dict[str, Any]] = [{"forwarded": p} for p in ((2, 10), (2, 10), (2, 11), (3, 5))]

    assert outcomes(*zip(events, places, strict=True)) == ["applied", "duplicate", "applied", "applied"]


def test_a_replay_is_taken_once() -> None:
    events = [happened("page", A, START) for _ in range(4)]
    places: list[dict[str, Any]] = [{"replayed": p} for p in (("dead", 0, 7), ("dead", 0, 7), ("dead", 0, 8), ("dead", 1, 7))]

    assert outcomes(*zip(events, places, strict=True)) == ["applied", "duplicate", "applied", "applied"]


def test_the_newest_replays_are_remembered() -> None:
    row: Visitor | None = None
    for offset in range(REPLAYS + 1):
        row = visitor.apply(row, happened("page", A, START), offset, PLAIN, replayed=("dead", 0, offset)).row

    assert row is not None
    assert row.replayed == {"dead:0": list(range(1, REPLAYS + 1))}


def test_an_echo_makes_no_row() -> None:
    assert visitor.apply(None, happened("page", A, START, echo=True), 1, PLAIN) == Outcome(None, "echo")


# -- times


def test_first_and_last_seen_are_event_times_and_as_of_a_receive_time() -> None:
    row = told(
        happened("page", A, START, r=START + HOUR), happened("page", A, START - DAY, r=START + 9), happened("page", A, START)
    )

    assert (row.state.first_seen, row.state.last_seen, row.state.as_of) == (START - DAY, START, START + HOUR)


@pytest.mark.parametrize(("t", "late"), [(START - 1, True), (START, False), (START + 1, False)])
def test_late_is_what_is_older_than_the_newest(t: int, late: bool) -> None:  # noqa: FBT001 -- a vector
    assert visitor.apply(told(happened("page", A, START)), happened("page", A, t), 2, PLAIN).late is late


def test_a_crm_move_is_no_interaction() -> None:
    row = told(happened("page", A, START), happened("Lead Stage Changed", A, START + DAY, crm_stage="sql"))

    assert (row.state.active, row.state.last_seen) == (START, START + DAY)
    assert worth(row, START + DAY)["moved"] == 1.0


def test_sixteen_times_of_a_behaviour_that_a_sequence_names_are_remembered() -> None:
    ruleset = rules(BEHAVIOURS + '[sequences.s]\nsteps = ["viewed", "met"]\nwithin = "9d"\npoints = 5\n' + LADDER)

    row = told(*(happened("page", A, START + n) for n in range(20, 0, -1)), happened("Asked", A, START), ruleset=ruleset)

    assert row.state.times == {"viewed": [START + n for n in range(5, 21)]}


# -- bots


def test_a_bot_is_counted_labelled_and_nothing_else() -> None:
    row = told(happened("Asked", A, START, bot=True, url="x/pricing", links=["user::1"]))

    assert (row.state.events, row.state.bot, row.state.active, row.listened) == (1, True, NEVER, False)
    assert (row.state.points, row.state.tags) == ({}, {})


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        pytest.param([(0, True), (1, False)], False, id="a person came later"),
        pytest.param([(1, False), (0, True)], False, id="the bot's event is older"),
        pytest.param([(0, False), (0, True)], True, id="equal times: the later applied"),
    ],
)
def test_bot_is_the_newest_events(times: list[tuple[int, bool]], expected: bool) -> None:  # noqa: FBT001
    assert told(*(happened("page", A, START + t, bot=bot) for t, bot in times)).state.bot is expected


# -- traits, groups, companies


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
    row = told(*(happened("page", A, START + t, traits=traits) for t, traits in told_traits))

    assert row.state.traits["title"].value == expected


def test_an_address_travels_with_its_kind() -> None:
    row = told(happened("page", A, START, traits={"email": "x@y.example", "phone": "1"}, trait_email_kind="business"))

    assert (row.state.traits["email"].kind, row.state.traits["phone"].kind) == ("business", None)


def test_groups_merge_their_traits_and_the_newest_counts() -> None:
    row = told(
        happened("page", A, START + 2, group=Group("one", {"name": "One"})),
        happened("page", A, START + 1, group=Group("two", {"name": "Two"})),
        happened("page", A, START, group=Group("one", {"name": "Old", "size": 9})),
    )

    newest = row.state.group()
    assert newest is not None
    assert (newest[0], newest[1].t) == ("one", START + 2)
    assert {path: trait.value for path, trait in newest[1].traits.items()} == {"name": "One", "size": 9}


def test_an_older_group_named_later_is_not_the_newest() -> None:
    row = told(*(happened("page", A, START - n, group=Group(name)) for n, name in enumerate(("new", "old"))))

    assert (row.state.group() or ("",))[0] == "new"


def test_equally_new_groups_the_later_applied_counts() -> None:
    row = told(*(happened("page", A, START, group=Group(name)) for name in ("one", "two", "one")))

    assert State().group() is None
    assert (row.state.group() or ("",))[0] == "one"


def test_the_newest_company_is_shown_and_the_newest_that_may_names_the_account() -> None:
    row = told(
        happened("page", A, START, company=ACME),
        happened("page", A, START + 1, company=COLLEGE),
        happened("page", A, START - 1, company=COLLEGE),
    )

    assert (row.state.company, row.state.company_t) == (COLLEGE, START + 1)
    assert (row.state.account, row.state.account_t) == (ACME, START)


def test_an_older_company_changes_nothing() -> None:
    row = told(happened("page", A, START, company=ACME), happened("page", A, START - 1, company=ACME))

    assert (row.state.company_t, row.state.account_t) == (START, START)


# -- who hands on


@pytest.mark.parametrize(
    ("node", "more", "expected"),
    [
        pytest.param("user::1", {}, True, id="class A from its first event"),
        pytest.param("email::x@y.example", {}, True, id="class B too"),
        pytest.param("lead::lead_0687587883fab020", {}, True, id="a lead id too"),
        pytest.param(A, {}, False, id="a device is silent"),
        pytest.param(A, {"links": ["user::1"]}, True, id="until its own first link"),
        pytest.param("user::1", {"bot": True}, False, id="a bot's event wakes nobody"),
    ],
)
def test_who_hands_on_a_snapshot(node: str, more: dict[str, Any], expected: bool) -> None:  # noqa: FBT001
    outcome = visitor.apply(None, happened("page", node, START, **more), 1, PLAIN)

    assert (outcome.snapshot is not None) is expected


def test_typed_addresses_may_be_weak() -> None:
    weak = rules(BEHAVIOURS + LADDER + '[identity]\ntyped_email = "C"\n')

    assert visitor.apply(None, happened("page", "email::x@y.example", START), 1, weak).snapshot is None


def test_a_snapshot_says_what_its_event_told() -> None:
    event = happened("Lead Stage Changed", "email::x@y.example", START, r=START + 5, crm_stage="sql",
                     links=[Link("anon::a"), Link("phone::+1", "mobile")], node_kind="business")  # fmt: skip
    snapshot = visitor.apply(None, event, 7, PLAIN).snapshot

    assert snapshot is not None
    assert (snapshot.version, snapshot.r, snapshot.t, snapshot.kind) == (7, START + 5, START, "business")
    assert (snapshot.crm_stage, snapshot.judged, snapshot.wake) == ("sql", True, False)
    assert snapshot.links == [Link("anon::a"), Link("phone::+1", "mobile")]


def test_a_bots_snapshot_moves_no_stage_and_is_not_judged() -> None:
    row = told(happened("page", USER, START))
    snapshot = visitor.apply(row, happened("page", USER, START, bot=True, crm_stage="sql"), 2, PLAIN).snapshot

    assert snapshot is not None
    assert (snapshot.crm_stage, snapshot.judged) == (None, False)


def test_a_wake_that_meets_no_row_makes_an_empty_one() -> None:
    row, snapshot = visitor.wake(None, A, START, PLAIN)

    assert (row.listened, row.position, row.state.events) == (True, 0, 0)
    assert (snapshot.node, snapshot.version, snapshot.r, snapshot.t, snapshot.wake) == (A, 0, START, NEVER, True)


def test_a_wakes_receive_time_is_the_greatest_its_row_has_applied() -> None:
    row, snapshot = visitor.wake(told(happened("page", A, START, r=START + DAY)), A, START, PLAIN)

    assert (snapshot.r, snapshot.t, row.state.as_of) == (START + DAY, START, START + DAY)
    assert visitor.apply(row, happened("page", A, START), 2, PLAIN).snapshot is not None


# -- bytes


def full() -> Visitor:
    row = told(
        happened("Asked", A, START, url="x/pricing", company=ACME, group=Group("g", {"name": "G"}),
                 traits={"a.b": [1, {"c": None}]}),
        happened("page", A, START, links=["user::1"]), ruleset=capped(),
    )  # fmt: skip
    visitor.apply(row, happened("page", A, START), (1 << 48) | 77, PLAIN, forwarded=(3, 9))
    visitor.apply(row, happened("page", A, START), (1 << 48) | 78, PLAIN, replayed=("dead", 1, 2))
    return row


@pytest.mark.parametrize("row", [Visitor(), full()], ids=["empty", "full"])
def test_a_row_comes_back_from_its_bytes(row: Visitor) -> None:
    data = visitor.encode(row)

    assert visitor.decode(data) == row
    assert int.from_bytes(data[1:9], "big") == row.position
    assert visitor.encode(visitor.decode(data)) == data
    assert copied(row) == row


def test_rows_of_a_key_compare_by_position_without_decoding() -> None:
    old, new = Visitor(position=(1 << 48) | 5), Visitor(position=2 << 48, listened=True)

    assert visitor.encode(old)[:9] < visitor.encode(new)[:9]
    assert (visitor.encode(old)[9], visitor.encode(new)[9]) == (0, 1)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        pytest.param(b"", "format none", id="nothing"),
        pytest.param(b"\x07" + visitor.encode(Visitor())[1:], "format 07", id="a newer release's"),
        pytest.param(visitor.encode(full())[:-1], "cannot be read", id="cut short"),
    ],
)
def test_a_row_that_cannot_be_read_says_why(data: bytes, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        visitor.decode(data)
