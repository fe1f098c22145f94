"""The accounts' fold: who counts, what falls due, what is told, under which ruleset."""

from typing import Any

import orjson
import pytest

from schemas.account_change import AccountChange
from stream.domain.accounts import account as rows
from stream.domain.accounts.document import account, named
from stream.domain.accounts.fold import DUE, Accounts
from stream.domain.accounts.hotlist import Place, ranked
from stream.domain.accounts.rows import AccountRows
from stream.domain.accounts.sums import Sums, shape
from stream.domain.crossing import END
from stream.domain.instants import parse, write
from stream.domain.log import Member, Members, NewRuleset, Record, Settling, Tick, Unreadable, encode
from stream.domain.ownrows import META, LogRow, log_row
from tests.told import DAY, HOUR, LEAD_1, START, rules

ID = "account::acme.example"
TEN = 10.0 * DAY
LADDER = """
[accounts]
anonymous = 0.5
[[accounts.stages]]
name = "engaged"
enter = { score = 60 }
exit = { score = 40 }
[[accounts.stages]]
name = "committed"
enter = { committee = 2, interest = 10 }
exit = { committee = 1.5 }
"""
RULES = rules(LADDER)


class Log:
    """One partition of `members`."""

    def __init__(self, text: str = LADDER) -> None:
        self.stored: dict[bytes, bytes] = {}
        self.fold = Accounts(self.stored, "leadstream", rules(text))
        self.offset = 0

    def add(self, record: Record) -> "Log":
        self.fold.apply(self.offset, encode(record))
        self.offset += 1
        return self

    def hear(self, *members: Member, r: int = START, code: str = "", id_: str = ID) -> "Log":
        return self.add(Members(id_, r, list(members), code))

    @property
    def moves(self) -> list[tuple[str, str, str, int]]:
        facts = [orjson.loads(out.value or b"") for out in self.fold.out]
        return [
            (data["stage"]["from"]["name"], data["stage"]["to"]["name"], data["reason"]["code"], parse(fact["time"]) - START)
            for fact in facts
            if (data := fact["data"])
        ]

    def shown(self, at: int = START) -> dict[str, Any]:
        document = account(self.fold, ID, at)
        assert document is not None
        return document

    def reopened(self, text: str = LADDER) -> "Log":
        self.fold.cut()
        self.fold = Accounts(self.stored, "leadstream", rules(text))
        return self


def lead(id_: str = "lead_a", version: int = 1, points: float = 80.0, **more: Any) -> Member:
    given: dict[str, Any] = {"base": START, "interest": {TEN: points}, "active": START}
    return Member(id_, version, lead=True, **(given | more))


def visitor(id_: str = "v_1", version: int = 1, points: float = 20.0, **more: Any) -> Member:
    proof = {"evidence": [("address", "192.0.2.0/24")], "told": ("Acme", "acme.example", "business", 1.0)}
    given: dict[str, Any] = {"base": START, "interest": {TEN: points}, **proof}
    return Member(id_, version, **(given | more))


# -- who counts


def test_leads_count_whole_and_anonymous_visitors_in_part() -> None:
    document = Log().hear(lead(fit=5.0, timing={TEN: 1.0})).hear(visitor()).shown(START + 10 * DAY)

    assert document["score"] == pytest.approx(40 + 5 + 0.5 + 0.5 * 10)
    assert (document["people"], document["anonymous"]) == (["lead_a"], 1)


@pytest.mark.parametrize(
    ("then", "left"),
    [
        (visitor(version=2, points=4.0), 4.0),
        (visitor(version=1, points=4.0), 20.0),
        (visitor(version=0, points=4.0), 20.0),
        (Member("v_1", 1, left=True), None),
        (Member("v_1", 0, left=True), 20.0),
        (Member("v_1", -1, left=True, final=True), None),
    ],
    ids=["a newer one", "a repeat", "an older one", "it left at the same place", "it left before", "it left for ever"],
)
def test_the_newest_version_counts(then: Member, left: float | None) -> None:
    document = Log().hear(visitor()).hear(then).shown()

    assert document["score"] == pytest.approx(0.0 if left is None else left / 2)
    assert document["anonymous"] == (left is not None)


def test_a_visitor_to_whom_somebody_listens_never_comes_back() -> None:
    log = Log().hear(Member("v_1", 3, left=True, final=True)).hear(visitor(version=9))
    log.hear(Member("v_1", 12, left=True, final=True)).hear(lead())

    assert log.shown()["anonymous"] == 0


def test_who_only_left_makes_no_account() -> None:
    log = Log().hear(Member("v_1", 3, left=True, final=True))

    assert account(log.fold, ID, START) is None
    assert list(log.fold.rows.ids()) == []
    assert account(log.reopened().hear(visitor(version=4)).fold, ID, START) is None


def test_the_last_one_leaves_nothing_but_the_account_and_its_number() -> None:
    log = Log().hear(lead(points=100.0), lead("lead_b", points=1e9)).hear(Member("lead_b", 2, left=True))
    log.hear(Member("lead_a", 2, left=True))

    assert log.shown()["score"] == 0.0
    assert [move[:3] for move in log.moves] == [("visitor", "engaged", "threshold_up"), ("engaged", "visitor", "threshold_down")]


def test_a_change_of_account_within_one_record_neither_dips_nor_doubles() -> None:
    log = Log().hear(lead(), visitor(points=10.0)).hear(Member("v_1", 2, left=True), lead(version=2, points=85.0))

    assert log.moves == [("visitor", "engaged", "threshold_up", 0)]


def test_sums_are_right_however_far_their_beginnings_lie_apart() -> None:
    log = Log().hear(visitor(interest={float(HOUR): 8.0}))
    log.hear(visitor("v_2", interest={float(HOUR): 6.0}, base=START + 90 * HOUR), r=START + 90 * HOUR)

    assert log.shown(START + 91 * HOUR)["score"] == pytest.approx(1.5)
    assert log.fold.rows.account(ID).sums.landmark == START + 90 * HOUR  # type: ignore[union-attr]  # it is there


def test_what_rounding_lost_fades_like_the_sum_that_lost_it() -> None:
    log, hourly = Log(), float(HOUR)
    for number, points in enumerate((0.1, 0.2, 0.3)):
        log.hear(visitor(f"v_{number}", interest={hourly: points}))
    log.hear(visitor("v_late", interest={hourly: 6.0}, base=START + 90 * HOUR), r=START + 90 * HOUR)

    assert log.shown(START + 91 * HOUR)["score"] == pytest.approx(1.5)


def test_a_member_under_its_floor_brings_the_floor() -> None:
    assert Log().hear(visitor(points=-30.0)).hear(visitor("v_2", points=8.0)).shown()["score"] == pytest.approx(4.0)
    assert Log().hear(lead(points=2.0, floor=5.0)).shown()["score"] == pytest.approx(5.0)


def test_an_idle_lead_loses_points_until_the_floor() -> None:
    log = Log().hear(lead(idle_ms=DAY, idle_points=-30.0, interest={1e15: 80.0}))

    assert [log.shown(START + n * DAY)["score"] for n in range(5)] == pytest.approx([80.0, 50.0, 20.0, 0.0, 0.0], abs=1e-3)


def test_a_role_that_is_too_old_is_no_part_of_the_committee() -> None:
    member = lead(role="boss", role_until=START + DAY)

    assert shape(member, START + DAY - 1).role == "boss"
    assert shape(member, START + DAY).role == ""


# -- stages


def test_an_account_falls_by_itself_at_the_exact_instant() -> None:
    log = Log().hear(lead()).add(Tick(0, START + 20 * DAY))

    assert log.moves[1:] == [("engaged", "visitor", "decay", 10 * DAY + 1)]


def test_what_was_due_is_done_before_a_record_counts() -> None:
    log = Log().hear(lead()).hear(lead(version=2, base=START + 20 * DAY), r=START + 20 * DAY)

    assert [(move[1], move[3]) for move in log.moves] == [
        ("engaged", 0), ("visitor", 10 * DAY + 1), ("engaged", 20 * DAY),
    ]  # fmt: skip


def test_a_full_idle_period_is_the_reason_where_it_makes_the_fall() -> None:
    log = Log().hear(lead(idle_ms=2 * DAY, idle_points=-25.0, interest={1e15: 90.0})).add(Tick(0, START + 9 * DAY))

    assert log.moves[1:] == [("engaged", "visitor", "idle", 6 * DAY)] or log.moves[1:] == [
        ("engaged", "visitor", "idle", 4 * DAY)
    ]
    assert "idle" in orjson.loads(log.fold.out[-1].value or b"")["data"]["reason"]["text"]


def test_idle_periods_on_the_floor_leave_no_trace_for_nobody_looks_at_them_behind_a_restart() -> None:
    """Taken away and put back, the middle amount would round the sum of the three otherwise."""
    first, idle, last = ({3.0 * DAY: amount} for amount in (65543.0, 1 + 2.0**-37, 2.0**-36))
    floored: dict[str, Any] = {"interest": {DAY / 2: 44.0, TEN: -40.0}, "idle_ms": DAY, "idle_points": -10.0}

    def row(*, restarts: bool) -> bytes:
        log = Log().hear(lead("lead_a", timing=first), lead("lead_b", timing=idle, **floored))
        log.hear(lead("lead_c", timing=last), r=START + 45 * HOUR)
        log = log.reopened() if restarts else log
        return log.hear(visitor(), r=START + 60 * HOUR).reopened().stored[b"a:" + ID.encode()]

    assert row(restarts=False) == row(restarts=True)


def fell_idle(log: Log, *, restarts: bool) -> tuple[str, str]:
    """Return the code and the words of the last move, had the fold begun anew behind the newest record."""
    log = log.reopened() if restarts else log
    log.add(Tick(0, START + 30 * DAY))
    reason = orjson.loads(log.fold.out[-1].value or b"")["data"]["reason"]
    return reason["code"], reason["text"]


def test_idle_periods_are_counted_since_the_account_changed_last_whoever_was_there() -> None:
    idle = lead(idle_ms=2 * DAY, idle_points=-15.0, interest={1e15: 90.0})
    told = [fell_idle(Log().hear(idle).hear(visitor(), r=START + 5 * DAY), restarts=restarts) for restarts in (False, True)]

    assert told == [("idle", "score fell to 35.7, below 40, no interaction for 2 idle periods")] * 2


def test_a_role_that_ends_on_the_floor_is_no_idle_period() -> None:
    given: dict[str, Any] = {"idle_ms": DAY, "idle_points": -50.0, "interest": {DAY / 2: 44.0, TEN: -40.0}, "fit": 100.0}
    boss = lead("lead_b", role="boss", role_until=START + 5 * DAY + HOUR, **given)
    user = lead(role="user", interest={1e15: 20.0})
    told = [fell_idle(Log().hear(user, boss).hear(visitor(), r=START + 4 * DAY), restarts=restarts) for restarts in (False, True)]

    assert told == [("decay", "committee fell to 1.0, below 1.5")] * 2


def test_a_committee_of_two_roles_commits_and_one_that_grows_old_ends_it() -> None:
    user = lead("lead_b", role="user", role_until=START + 3 * DAY, points=5.0)
    log = Log().hear(lead(role="boss", points=20.0), user).add(Tick(0, START + 9 * DAY))

    assert log.moves == [("visitor", "committed", "threshold_up", 0), ("committed", "visitor", "decay", 3 * DAY)]


def test_a_tick_stops_where_the_cut_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log()
    for number in range(3):
        log.hear(lead(), id_=f"account::{number}.example")
    log.fold.cut()
    monkeypatch.setattr("stream.domain.ownrows.CUT_BYTES", 1)
    parts: list[bool] = []
    while not parts or not parts[-1]:
        log.fold.out.clear()
        parts.append(log.fold.apply_part(log.offset, encode(Tick(0, START + 30 * DAY))))
        assert len(log.fold.out) == 1
        log.fold.cut()
    assert parts == [False, False, True]


@pytest.mark.parametrize("code", ["merge", "unmerge", "erase"])
def test_what_people_did_is_the_reason(code: str) -> None:
    log = Log().hear(lead(LEAD_1)).hear(Member(LEAD_1, 2, left=True), code=code)

    assert log.moves[1] == ("engaged", "visitor", code, 0)
    for out in log.fold.out:
        AccountChange.model_validate_json(out.value or b"")


def test_a_tick_moves_accounts_part_by_part_and_goes_on_after_a_restart() -> None:
    log = Log()
    for number in range(DUE + 7):
        log.hear(lead(), id_=f"account::{number}.example")
    log.fold.out.clear()
    tick = encode(Tick(0, START + 30 * DAY))
    assert not log.fold.apply_part(log.offset, tick)
    assert (len(log.fold.out), log.fold.next) == (DUE, log.offset)

    log.fold.cut()
    again = Accounts(dict(log.stored), "leadstream", rules(LADDER))
    for fold in (again, log.fold):
        fold.out.clear()
        assert fold.apply_part(log.offset, tick)
    assert again.out == log.fold.out
    assert (len(log.fold.out), log.fold.next) == (7, log.offset + 1)


def test_a_late_record_finds_what_a_tick_looked_at_as_it_was() -> None:
    idle = lead(idle_ms=5 * DAY, idle_points=-1.0, interest={1e15: 90.0})
    log, other = Log().hear(idle), Log().hear(idle)
    log.add(Tick(0, START + 8 * DAY))
    for each in (log, other):
        each.hear(visitor(), r=START + DAY)

    assert log.fold.cut()[-2][1][9:] == other.fold.cut()[-2][1][9:]
    assert log.shown(START + 9 * DAY)["score"] == pytest.approx(90 - 1 + 10 * 2**-0.9, abs=1e-3)


def test_timers_come_back_with_the_rows() -> None:
    log = Log().hear(lead(idle_ms=30 * DAY, idle_points=-1.0)).reopened().add(Tick(0, START + 20 * DAY))

    assert log.moves == [("engaged", "visitor", "decay", 10 * DAY + 1)]
    assert log.fold.size > 0
    assert (log.fold.rules.id, log.fold.next) == (RULES.id, 2)


# -- rulesets


def test_a_ruleset_moves_nobody_by_itself_and_is_the_reason_afterwards() -> None:
    log = Log().hear(lead()).add(NewRuleset(5, LADDER.replace("exit = { score = 40 }", "exit = { score = 58 }").encode()))
    assert len(log.moves) == 1
    log.hear(visitor(), r=START + 6 * DAY)

    assert log.moves[1][:3] == ("engaged", "visitor", "ruleset_change")


def test_what_the_former_ruleset_would_have_done_with_an_account_too_has_its_own_reason() -> None:
    log = Log().hear(lead(points=30.0)).add(NewRuleset(5, LADDER.replace("score = 60", "score = 61").encode()))
    log.hear(lead(version=2))

    assert [move[:3] for move in log.moves] == [("visitor", "engaged", "threshold_up")]


def test_an_account_below_a_new_exit_falls_at_the_clock_of_the_switch_and_not_before() -> None:
    stricter = LADDER.replace("exit = { score = 40 }", "exit = { score = 58 }")
    log = Log().hear(lead()).add(Tick(0, START + 6 * DAY)).add(NewRuleset(5, stricter.encode())).add(Tick(0, START + 7 * DAY))

    assert log.moves[1] == ("engaged", "visitor", "ruleset_change", 6 * DAY)


def test_a_stage_that_is_gone_is_left_at_the_next_record() -> None:
    gone = LADDER.replace('"engaged"', '"hot"').replace("score = 60", "score = 600")
    log = Log().hear(lead()).add(NewRuleset(5, gone.encode())).hear(visitor())

    assert log.moves[1][:3] == ("engaged", "visitor", "ruleset_change")
    assert "no stage engaged any more" in orjson.loads(log.fold.out[-1].value or b"")["data"]["reason"]["text"]


def test_a_stage_that_is_gone_is_left_by_the_clock_too() -> None:
    gone = LADDER.replace('"engaged"', '"hot"').replace("score = 60", "score = 50")
    log = Log().hear(lead()).add(Tick(0, START + HOUR)).add(NewRuleset(5, gone.encode())).add(Tick(0, START + DAY))

    assert log.moves[1][:2] == ("engaged", "hot")


def test_a_ruleset_that_came_already_or_late_changes_nothing() -> None:
    other = LADDER.replace("60", "90").encode()
    log = Log().add(NewRuleset(5, other))
    in_force = log.fold.in_force
    log.add(NewRuleset(5, LADDER.encode())).add(NewRuleset(4, LADDER.encode()))
    assert log.fold.in_force is in_force

    log.add(NewRuleset(8, other))
    assert (log.fold.in_force.place, len(log.fold.in_force.editions.held)) == (8, 2)
    assert log.reopened().fold.in_force.place == 8


# -- evidence


def test_the_surest_evidence_names_the_company_while_it_stands() -> None:
    mail = lead(evidence=[("email", "acme.example")], told=("ACME Ltd", "acme.example", "business", 1.0))
    log = Log().hear(visitor()).hear(mail)
    assert log.shown()["name"] == "ACME Ltd"

    assert log.hear(Member("lead_a", 2, left=True)).shown()["name"] == "Acme"
    assert log.hear(Member("v_1", 2, left=True)).shown()["name"] == "ACME Ltd"


def test_an_older_word_does_not_rename_a_company() -> None:
    log = Log().hear(visitor(), r=START + DAY)
    log.hear(visitor("v_2", told=("Old name", "acme.example", "business", 0.7)), r=START)

    assert log.shown(START + DAY)["name"] == "Acme"


def test_a_row_keeps_the_proofs_of_most_people() -> None:
    log = Log().hear(lead(evidence=[("email", "acme.example")]))
    for number in range(rows.PROOFS + 3):
        log.hear(visitor(f"v_{number}", evidence=[("address", f"192.0.2.{number}/32")]), r=START + number)
    log.hear(Member(f"v_{rows.PROOFS + 2}", 2, left=True)).hear(visitor("v_0", 2, evidence=[("address", "192.0.2.0/32")]))
    evidence = log.shown(START + DAY)["evidence"]

    assert len(evidence) == rows.PROOFS
    assert evidence[0]["source"] == "email"


def test_a_kind_of_evidence_that_is_least_goes_whole() -> None:
    log = Log().hear(visitor("v_x", evidence=[("group", "g")]), r=START + DAY)
    for number in range(rows.PROOFS):
        log.hear(visitor(f"v_{number}", evidence=[("address", f"192.0.2.{number}/32")]), r=START)

    assert {one["source"] for one in log.shown(START + DAY)["evidence"]} == {"address"}


# -- rows and look-ups


def test_rows_of_another_release_are_refused() -> None:
    for stored in ({b"\x00log": b"\x02" + bytes(9)}, {b"\x00log": b"\x01" + bytes(8) + b"\xc1"}):
        with pytest.raises(Unreadable, match="accounts row"):
            AccountRows(stored).log()


def test_a_record_of_another_kind_is_passed_over() -> None:
    log = Log().hear(visitor()).add(Settling("run"))

    assert (log.fold.next, log.shown()["anonymous"]) == (2, 1)


def test_an_account_of_a_name_with_a_zero_byte_is_one() -> None:
    log = Log().hear(visitor(), id_="account:group:a\0b").reopened()

    assert list(log.fold.rows.ids()) == ["account:group:a b"]


@pytest.mark.parametrize("id_", ["acme.example", "account:", "account:x:y", "account::", "account::a\0b", "anon::1"])
def test_what_is_no_account_is_said(id_: str) -> None:
    with pytest.raises(ValueError, match="is no account"):
        named(id_)
    assert named(ID) == ID


def test_the_hottest_stand_first_page_by_page() -> None:
    log = Log()
    for number, points in enumerate((30.0, 90.0, 60.0, 60.0)):
        log.hear(lead(points=points, idle_ms=3 * DAY if number == 1 else 0, idle_points=-50.0), id_=f"account::{number}.example")
    first = Place(START + DAY, float("inf"), "")
    places = sorted((place for place in ranked(log.fold, None, first) if place is not None), key=lambda place: place.order)
    assert [place.id[9] for place in places] == ["1", "2", "3", "0"]
    after = [place for place in ranked(log.fold, None, places[1]) if place is not None]
    assert sorted(place.id[9] for place in after) == ["0", "3"]
    assert [place.id[9] for place in ranked(log.fold, "visitor", first) if place is not None] == ["0"]

    later = [place for place in ranked(log.fold, None, Place(START + 4 * DAY, float("inf"), "")) if place is not None]
    assert {place.id[9]: round(place.score) for place in later}["1"] == round(90 * 2**-0.4 - 50)
    assert Place.read(places[0].write()) == places[0]
    assert Place.read("x") is None


def test_a_list_goes_on_as_of_its_first_page_though_the_clock_ran_past_what_changes_a_score() -> None:
    log = Log()
    for name, points, idle_points in (("a", 80.0, -25.0), ("b", 60.0, 0.0), ("c", 30.0, 0.0)):
        log.hear(lead(points=points, idle_ms=2 * DAY, idle_points=idle_points), id_=f"account::{name}.example")
    first, seen = Place(START + 2 * DAY - 1, float("inf"), ""), []
    for until in (HOUR, 2 * DAY + 1):
        log.add(Tick(0, START + until))
        places = sorted((place for place in ranked(log.fold, None, first) if place is not None), key=lambda place: place.order)
        seen.append(places[0].id[9])
        first = places[0]
    assert seen == ["a", "b"]
    assert [place.id[9] for place in ranked(log.fold, None, first) if place is not None] == ["c"]


def test_an_empty_account_has_no_end_of_its_own() -> None:
    assert Log().fold.timers.at(ID) is None
    assert Sums().copy() == Sums()
    assert write(START) < write(END)


# -- what grows old


def test_an_account_that_falls_because_time_took_a_member_falls_by_itself() -> None:
    log = Log().hear(lead()).hear(Member("lead_a", 2, left=True), r=START + HOUR, code="decay")

    assert log.moves == [("visitor", "engaged", "threshold_up", 0), ("engaged", "visitor", "decay", HOUR)]


def test_an_account_that_rises_by_it_does_so_as_ever() -> None:
    log = (
        Log()
        .hear(lead(), lead("lead_b", points=0.0, fit=-50.0))
        .hear(Member("lead_b", 2, left=True), r=START + HOUR, code="decay")
    )

    assert log.moves == [("visitor", "engaged", "threshold_up", HOUR)]


# -- a table that was lost


def test_facts_of_a_table_made_anew_are_numbered_behind_all_that_were_ever_told() -> None:
    log = Log()
    log.stored[META] = log_row(LogRow(0, numbers=41))
    log.fold = Accounts(log.stored, "leadstream", RULES)
    log.hear(lead()).reopened().hear(lead(version=2, points=10.0)).hear(lead(points=99.0), id_="account::other.example")

    told = [orjson.loads(out.value or b"")["id"] for out in log.fold.out]
    assert told == [f"{ID}-0000000043", "account::other.example-0000000042"]


def test_a_log_row_of_the_release_before_knows_no_number() -> None:
    row = log_row(LogRow(7))
    body = row[:9] + bytes([row[9] - 1]) + row[10:-1]  # an array of one member less, the zero at its end
    assert AccountRows({META: body}).log() == LogRow(7)


# -- members whose curves lie far apart


HOURLY = float(HOUR)
LATER = START + 50 * DAY


def visits(id_: str, version: int, base: int, points: float = 10.0) -> Member:
    """Return a visitor of the account whose points halve each hour."""
    return Member(id_, version, base=base, interest={HOURLY: points}, active=base, evidence=[("address", "192.0.2.0/24")])


@pytest.mark.parametrize(
    ("then", "score", "anonymous"),
    [
        ([visits("v_a", 2, LATER + 1)], 10.0, 1),
        ([visits("v_a", 2, LATER + 1), visits("v_c", 1, LATER + 1, 80.0), visits("v_a", 3, LATER + 1)], 90.0, 2),
        ([visits("v_a", 2, LATER + 1), Member("v_a", 3, left=True)], 0.0, 0),
    ],
)
def test_what_came_a_thousand_half_lives_late_takes_nobodys_points_away(
    then: list[Member], score: float, anonymous: int
) -> None:  # fmt: skip
    log = Log("[accounts]\nanonymous = 1\n")
    log.hear(visits("v_b", 1, LATER), r=LATER).hear(visits("v_a", 1, START), r=LATER)
    log.hear(Member("v_b", 2, left=True), r=LATER)
    for member in then:
        log.hear(member, r=LATER + 1)
    told = account(log.fold, ID, LATER + 1)
    assert told is not None
    assert (told["score"], told["anonymous"]) == (pytest.approx(score), anonymous)
