"""What is remembered of [fit] and [[routes]] is what asking every rule anew gives."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.domain.event import Company, Group
from stream.domain.person import Identity, Person
from stream.domain.profile import Profile
from stream.domain.ruleset import Ruleset, fitting
from stream.domain.state import GroupCall, State, Trait
from stream.domain.view import View
from tests.told import BEHAVIOURS, LADDER, START, Log, happened, replay, rules

FIT = """
[fit.head]
match = { "traits.title" = ["*head of*", "chief *"] }
points = 20
[fit.number]
match = { "traits.seats" = { gte = 10 } }
points = 2
[fit.one]
match = { "traits.seats" = 1 }
points = 3
[fit.truth]
match = { "traits.seats" = true }
points = 4
bant = "need"
[fit.industry]
match = { "traits.company.industry" = "oil" }
points = 5
[fit.own-industry]
match = { "company.industry" = "oil" }
points = 6
[fit.known]
match = { "company.known" = true, "company.kind" = "business" }
points = 7
bant = "budget"
[fit.nobody]
match = { "company.known" = false }
points = 8
[fit.free]
match = { email_kind = "free", phone_kind = "mobile" }
points = -9
[grades]
A = { bant = 2 }
B = { fit = 20 }
[[routes]]
match = { "traits.title" = "chief *", intent = "direct" }
route = "sales"
[[routes]]
match = { "company.industry" = "oil", stage = "mql" }
route = "sales"
[[routes]]
match = { email_kind = "free" }
route = "discard"
"""


def made() -> Ruleset:
    return rules(BEHAVIOURS + LADDER + FIT)


RULES = made()
ACME = Company("Acme", "acme.example", "isp", 0.9, "ranges", "192.0.2.0/24", "", {})
VALUES = st.sampled_from(
    [None, "Head of IT", "chief clerk", "oil", "x" * 600, 1, 1.0, True, False, 12, ["a", "OIL"], [], [["oil"]]]
)
LEAVES = st.builds(Trait, VALUES, st.integers(0, 3), st.sampled_from([None, "free", "mobile"]))
TRAITS = st.dictionaries(st.sampled_from(["title", "seats", "company.industry", "email", "phone", "other"]), LEAVES, max_size=5)
GROUPS = st.dictionaries(st.just("g"), st.builds(GroupCall, st.integers(0, 3), st.dictionaries(st.just("industry"), LEAVES)))
COMPANIES = st.sampled_from(
    [
        None,
        *(
            Company("Acme", "acme.example", kind, 0.9, "ranges", "192.0.2.0/24", "", {"industry": industry})
            for kind in ("business", "isp")
            for industry in ("Oil", "")
        ),
    ]
)
STATES = st.builds(State, traits=TRAITS, groups=GROUPS, company=COMPANIES)
NODES, KINDS = st.sampled_from(["user::1", "email::a@b.example", "phone::+86"]), st.sampled_from(["", "free", "mobile"])
MEMBERS = st.lists(st.builds(Identity, NODES, kind=KINDS, state=STATES), max_size=3)


@given(MEMBERS, st.sampled_from(["visitor", "lead", "mql"]))
def test_one_that_remembers_says_what_one_says_that_asks_anew(members: list[Identity], stage: str) -> None:
    person, fresh = Person("lead_1", stage=stage), made()
    known, anew = Profile(members, RULES), Profile(members, fresh)
    holding = [fit for fit in fresh.fit.values() if fit.match.holds(anew.get)]

    assert known.fits == holding
    assert (known.fit, known.grade) == (sum(fit.points for fit in holding), anew.grade)
    assert [row.rule for row in known.fit_rows] == [f"fit.{fit.name}" for fit in holding]
    assert View(person, members, RULES).route(0) == View(person, members, fresh).route(0)


@pytest.mark.parametrize(
    ("one", "other", "points"),
    [
        pytest.param(True, 1, (4, 3), id="true is not 1"),
        pytest.param(1, True, (3, 4), id="1 is not true"),
        pytest.param(1.0, 1, (3, 3), id="1.0 is 1"),
        pytest.param("12", 12, (0, 2), id="text is no number"),
    ],
)
def test_what_was_found_for_one_value_is_not_taken_for_another(one: Any, other: Any, points: tuple[int, int]) -> None:
    ruleset = made()
    nobody = 8  # no company is known

    def fit(value: Any) -> float:
        found: float = Profile([Identity("user::1", state=State(traits={"seats": Trait(value, 1)}))], ruleset).fit
        return found - nobody

    assert (fit(one), fit(other)) == points


@pytest.mark.parametrize("groups", [False, True], ids=["trait", "group trait"])
@pytest.mark.parametrize(
    ("one", "other", "fit"),
    [
        pytest.param(1, True, 100, id="1, then true"),
        pytest.param(True, 1, 0, id="true, then 1"),
        pytest.param([1], [True], 100, id="[1], then [true]"),
        pytest.param([1, 2], [1, 2], 0, id="a list again"),
    ],
)
def test_a_value_of_another_kind_is_told_anew_also_in_the_same_millisecond(
    one: Any, other: Any, fit: int, *, groups: bool
) -> None:
    wanted = "traits.company.seats" if groups else "traits.seats"
    ruleset = rules(f'{BEHAVIOURS}{LADDER}[fit.truth]\nmatch = {{ "{wanted}" = true }}\npoints = 100\n')
    log = Log(ruleset)

    def tell(value: Any) -> None:
        told: dict[str, Any] = {"group": Group("g", {"seats": value})} if groups else {"traits": {"seats": value}}
        log.add(happened("page", "user::1", START, **told))

    tell(one)
    tell(other)
    log.add(happened("page", "user::1", START + 1))
    assert log.document("user::1", START + 1)["score"]["fit"] == fit
    assert replay(log.records, ruleset, range(len(log.records))) == log.out


@pytest.mark.parametrize("first", [None, ACME])
def test_who_is_known_to_have_no_company_is_not_taken_for_one_who_has(first: Company | None) -> None:
    ruleset = rules(BEHAVIOURS + LADDER + '[fit.nobody]\nmatch = { "company.known" = false }\npoints = 8\n')
    for company in (first, None, ACME):
        found = Profile([Identity("user::1", state=State(company=company))], ruleset).fit
        assert found == (8 if company is None else 0)


def test_no_more_is_remembered_than_was_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "REMEMBERED", 2)
    ruleset = made()
    for value in ("chief x", 1, 12, True):
        assert Profile(
            [Identity("user::1", state=State(traits={"title": Trait(value, 1), "seats": Trait(value, 1)}))], ruleset
        ).fits
        assert len(ruleset.fitting.found) <= 2
