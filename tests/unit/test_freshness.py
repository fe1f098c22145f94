"""What was told of a job grows old: how sure it is at an instant, when it counts no longer, and who is asked then."""

import math

import pytest

from stream.domain.claims import SOURCES
from stream.domain.event import Company
from stream.domain.freshness import ALWAYS, confidence, counts, counts_until
from stream.domain.person import Identity
from stream.domain.profile import Profile
from stream.domain.ruleset import load
from stream.domain.ruleset.model import Freshness
from stream.domain.state import GroupCall, State, Trait
from stream.rulesets import default_text

DAY_MS = 86_400_000
YEAR_MS = 365.25 * DAY_MS
TEN_DAYS = load(b'[freshness]\nhalf_life = "10d"\nmin_confidence = 0.5')
NEVER_OLD = load(b"")


def fresh(text: str) -> Freshness:
    rules = load(f"[freshness]\n{text}".encode()).freshness
    assert rules is not None
    return rules


def test_forty_per_cent_change_jobs_within_four_years() -> None:
    """LinkedIn's figure is the default half-life: 60 % of what was told four years ago still holds."""
    for rules in (fresh(""), load(default_text()).freshness):
        assert rules is not None
        assert confidence(rules, 0, round(4 * YEAR_MS)) == pytest.approx(0.6, abs=1e-12)
        assert rules.half_life_ms / DAY_MS == pytest.approx(1461 * math.log(2) / math.log(1 / 0.6))


def test_nothing_grows_old_where_the_ruleset_has_no_freshness() -> None:
    assert NEVER_OLD.freshness is None
    assert confidence(None, 0, 10**15) == 1.0
    assert counts_until(None, 0) == ALWAYS
    assert counts(None, 0, 10**15)


def test_half_is_left_after_a_half_life_and_nothing_is_more_than_sure() -> None:
    rules = fresh('half_life = "10d"')
    assert confidence(rules, 0, 10 * DAY_MS) == 0.5
    assert confidence(rules, 0, 20 * DAY_MS) == 0.25
    assert confidence(rules, 5, 0) == 1.0


@pytest.mark.parametrize("least", [0.5, 0.25, 0.6, 0.999, 1.0])
def test_the_instant_at_which_a_fact_counts_no_longer_is_known_beforehand(least: float) -> None:
    """It is the first millisecond below `min_confidence`."""
    rules = fresh(f'half_life = "1h"\nmin_confidence = {least}')  # a millisecond is worth more than the rounding
    until = counts_until(rules, 7)
    assert confidence(rules, 7, until - 1) >= least - 1e-9
    assert confidence(rules, 7, until) < least
    assert counts(rules, 7, until - 1)
    assert not counts(rules, 7, until)


def test_with_a_minimum_of_nothing_facts_count_for_ever() -> None:
    rules = fresh("min_confidence = 0")
    assert counts_until(rules, 0) == ALWAYS
    assert counts(rules, 0, 10**16)


BLOCK = Company("By Address", "ip.example", "business", 0.8, "ranges", "192.0.2.0/24", "")


def person(*, group_t: int = -1, mail_t: int = -1, address_t: int = -1, mail: str = "a@mail.example") -> list[Identity]:
    state = State()
    if group_t >= 0:
        state.groups = {"g42": GroupCall(group_t, {"name": Trait("Told", group_t)})}
    if address_t >= 0:
        state.account, state.account_t = BLOCK, address_t
    members = [Identity("user::1", 1, state=state)]
    if mail_t >= 0:
        members.append(Identity(f"email::{mail}", 1, kind="business", named_t=mail_t))
    return members


GROUP, MAIL, ADDRESS = "account:group:g42", "account::mail.example", "account::ip.example"


@pytest.mark.parametrize(
    ("members", "day", "named"),
    [
        pytest.param(person(group_t=0, mail_t=0, address_t=0), 10, GROUP, id="all still count: the highest authority"),
        pytest.param(person(group_t=0, mail_t=DAY_MS, address_t=0), 11, MAIL, id="the group is too old: the e-mail"),
        pytest.param(person(mail_t=0, address_t=DAY_MS), 11, ADDRESS, id="the e-mail is too old: the address"),
        pytest.param(person(mail_t=2 * DAY_MS, address_t=0), 12, MAIL, id="told again it counts again"),
        pytest.param(person(address_t=0), 11, None, id="all are too old: none"),
        pytest.param(person(), 0, None, id="nothing was ever told"),
    ],
)
def test_the_account_is_named_by_the_best_that_still_counts(members: list[Identity], day: int, named: str | None) -> None:
    account = Profile(members, TEN_DAYS).account(day * DAY_MS)
    assert (account["id"] if account else None) == named


@pytest.mark.parametrize("at", [None, 10**15])
def test_without_freshness_the_account_is_the_same_at_any_time(at: int | None) -> None:
    profile = Profile(person(mail_t=0, address_t=DAY_MS), NEVER_OLD)
    assert (profile.account(at) or {})["id"] == MAIL


def test_what_speaks_for_the_account_is_told_best_first_with_its_age() -> None:
    """An address of another company speaks for that, not for this one."""
    both = Profile(person(mail_t=0, address_t=DAY_MS, mail="a@ip.example"), TEN_DAYS)
    claims = both.standing(10 * DAY_MS)
    assert [(claim.source, claim.proof) for claim in claims] == [("email", "ip.example"), ("address", "192.0.2.0/24")]
    assert [claim.confidence(TEN_DAYS.freshness, 10 * DAY_MS) for claim in claims] == [0.5, pytest.approx(0.8 * 2**-0.9)]
    assert [claim.source for claim in Profile(person(group_t=0, mail_t=0), TEN_DAYS).standing(0)] == ["group"]
    assert [claim.source for claim in Profile(person(group_t=0, mail_t=0, address_t=0), TEN_DAYS).claims()] == list(SOURCES)


def test_a_job_change_counts_at_once() -> None:
    """The newest title, and of two business addresses the one used last."""
    before, after = person(mail_t=0), person(mail_t=DAY_MS, mail="a@new.example")
    before[0].state.traits = {"title": Trait("Head of IT", 0)}
    after[0].state.traits = {"title": Trait("CFO", DAY_MS)}
    profile = Profile([*before, *after], load(default_text()))
    assert (profile.account(DAY_MS) or {})["id"] == "account::new.example"
    assert (profile.post().role, profile.post().department, profile.post().role_t) == ("decision_maker", "finance", DAY_MS)
    assert profile.post() is profile.post()
