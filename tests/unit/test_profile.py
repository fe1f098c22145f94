"""Who a person is: merged traits, the company, the account, fit."""

from typing import Any

import pytest

from stream.domain.event import Company
from stream.domain.person import Identity
from stream.domain.profile import Profile
from stream.domain.state import NEVER, GroupCall, State, Trait
from tests.told import BEHAVIOURS, LADDER, rules

RULES = rules(
    BEHAVIOURS
    + LADDER
    + """
[fit.oil]
match = { "traits.company.industry" = "oil" }
points = 20
[fit.budget]
match = { "traits.bant.budget" = true }
points = 10
bant = "budget"
[fit.money]
match = { "traits.bant.money" = true }
points = 1
bant = "budget"
[grades]
C = { bant = 1 }
B = { bant = 2 }
"""
)


def company(name: str = "Acme", domain: str = "acme.example") -> Company:
    return Company(name, domain, "business", 0.9, "ranges", "192.0.2.0/24", "", {"size": "big", "note": ""})


def member(node: str, *, kind: str = "", named_t: int = NEVER, **state: Any) -> Identity:
    return Identity(node, 1, kind=kind, named_t=named_t, state=State(**state))


def profile(*members: Identity) -> Profile:
    return Profile(members, RULES)


def traits(t: int, stamp: int = 0, **values: Any) -> dict[str, Trait]:
    return {path: Trait(value, t, None, stamp) for path, value in values.items()}


def group(t: int, **values: Any) -> dict[str, GroupCall]:
    return {"g42": GroupCall(t, traits(t, **values))}


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        pytest.param(traits(1, title="a"), traits(2, title="b"), "b", id="the newest event time"),
        pytest.param(traits(2, title="a"), traits(1, title="b"), "a", id="whichever member"),
        pytest.param(traits(1, 7, title="a"), traits(1, 5, title="b"), "a", id="equal times: the later in the log"),
        pytest.param(traits(1, title="a"), traits(2, title=None), None, id="null deletes across members"),
    ],
)
def test_traits_merge_over_members(first: dict[str, Trait], second: dict[str, Trait], expected: Any) -> None:
    assert profile(member("user::1", traits=first), member("anon::a", traits=second)).trait("title") == expected


COMPANY_TRAIT = {"company.industry": Trait("own", 1)}
DELETED = {"company.industry": Trait(None, 1)}


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        pytest.param({}, "told", id="missing: the group's stands in"),
        pytest.param(COMPANY_TRAIT, "own", id="there: its own"),
        pytest.param(DELETED, "told", id="deleted is missing"),
    ],
)
def test_group_traits_stand_in_for_missing_company_traits(own: dict[str, Trait], expected: str) -> None:
    who = profile(member("user::1", traits=own, groups=group(1, industry="told", title="no")))

    assert who.trait("company.industry") == expected
    assert who.trait("title") is None
    assert who.trait("company.nothing") is None


@pytest.mark.parametrize(
    ("cookie", "user", "expected"),
    [
        pytest.param({}, {"industry": Trait("oil", 1)}, "oil", id="what one said, another need not say again"),
        pytest.param({"industry": Trait("oil", 1)}, {}, "oil", id="whoever named it last"),
        pytest.param({"industry": Trait("oil", 2)}, {"industry": Trait("retail", 1)}, "oil", id="the newest event time"),
        pytest.param({"industry": Trait("oil", 1)}, {"industry": Trait(None, 2)}, None, id="null deletes"),
        pytest.param(
            {"industry": Trait("oil", 1, None, 7)}, {"industry": Trait("retail", 1, None, 5)}, "oil",
            id="equal times: the later in the log",
        ),
    ],
)  # fmt: skip
def test_traits_of_a_group_merge_over_the_members_that_named_it(
    cookie: dict[str, Trait], user: dict[str, Trait], expected: Any
) -> None:
    named = {"old": GroupCall(1, traits(1, size="small")), "g42": GroupCall(4, user)}
    who = profile(
        member("anon::a", groups={"g42": GroupCall(2, cookie)}),
        member("user::1", groups=named),
        member("anon::b", groups={"old": GroupCall(3, traits(3, industry="wine"))}),
    )

    assert who.trait("company.industry") == expected
    assert who.trait("company.size") is None
    assert (who.account() or {})["id"] == "account:group:g42"
    assert who.claims()[0].told_at == 4


@pytest.mark.parametrize(
    ("members", "key", "expected"),
    [
        pytest.param([member("user::1")], "company.known", False, id="nobody knows a company"),
        pytest.param([member("user::1", company=company(), company_t=1)], "company.known", True, id="an address does"),
        pytest.param([member("user::1", groups=group(1))], "company.known", True, id="a group does"),
        pytest.param([member("user::1", company=company(), company_t=1)], "company.size", "big", id="a ranges column"),
        pytest.param([member("user::1", company=company(), company_t=1)], "company.note", None, id="an empty column"),
        pytest.param([member("user::1")], "company.size", None, id="no company"),
        pytest.param(
            [member("user::1", company=company(), company_t=1, groups=group(1, size="told"))], "company.size", "told",
            id="told beats the address",
        ),
        pytest.param(
            [member("user::1", company=company("Old"), company_t=1), member("anon::a", company=company("New"), company_t=2)],
            "company.name", "New", id="the newest address",
        ),
        pytest.param([member("user::1", traits=traits(1, title="x"))], "traits.title", "x", id="a trait"),
        pytest.param([member("user::1")], "email_kind", None, id="no address"),
        pytest.param([member("user::1")], "properties.x", None, id="what an event has a person has not"),
        pytest.param([member("email::x@y.z", kind="free", named_t=1)], "email_kind", "free", id="the member's kind"),
        pytest.param(
            [member("email::x@y.z", kind="free", named_t=2), member("email::b@y.z", kind="business", named_t=1)],
            "email_kind", "free", id="of the newest named",
        ),
        pytest.param(
            [member("email::x@y.z", kind="free", named_t=2, traits={"email": Trait("b@y.z", 1, "business")})],
            "email_kind", "business", id="the merged trait's comes first",
        ),
        pytest.param(
            [member("email::x@y.z", kind="free", named_t=2, traits={"email": Trait(None, 1, None)})],
            "email_kind", "free", id="a deleted trait has none",
        ),
        pytest.param([member("phone::+1", kind="mobile", named_t=1)], "phone_kind", "mobile", id="the same of numbers"),
    ],
)  # fmt: skip
def test_what_conditions_see(members: list[Identity], key: str, expected: Any) -> None:
    assert profile(*members).get(key) == expected


BY_IP: dict[str, Any] = {"account": company("By Address", "ip.example"), "account_t": 5}


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        pytest.param([member("user::1")], None, id="nobody's"),
        pytest.param([], None, id="without members"),
        pytest.param([member("user::1", **BY_IP)], ("account::ip.example", "By Address", "ip.example", 0.9), id="an address"),
        pytest.param(
            [member("user::1", account=company("No Domain", ""), account_t=5)],
            ("account:name:no domain", "No Domain", None, 0.9), id="an address whose company has no domain",
        ),
        pytest.param(
            [member("user::1", **BY_IP), member("anon::a", account=company(), account_t=6)],
            ("account::acme.example", "Acme", "acme.example", 0.9), id="the newest of two addresses",
        ),
        pytest.param(
            [member("user::1", **BY_IP), member("email::a@acme.example", kind="business", named_t=1)],
            ("account::acme.example", "acme.example", "acme.example", 1.0), id="a business e-mail beats the address",
        ),
        pytest.param(
            [member("user::1", company=company(), company_t=1), member("email::a@acme.example", kind="business", named_t=1)],
            ("account::acme.example", "Acme", "acme.example", 1.0), id="an address of that domain lends its name",
        ),
        pytest.param(
            [member("user::1", company=company(domain="ACME.example"), company_t=1),
             member("email::a@acme.example", kind="business", named_t=1)],
            ("account::acme.example", "Acme", "acme.example", 1.0), id="also where an older release kept its capitals",
        ),
        pytest.param(
            [member("email::a@one.example", kind="business", named_t=1),
             member("email::a@two.example", kind="business", named_t=2)],
            ("account::two.example", "two.example", "two.example", 1.0), id="the newest of two e-mails",
        ),
        pytest.param(
            [member("user::1", **BY_IP), member("email::a@free.example", kind="free", named_t=9)],
            ("account::ip.example", "By Address", "ip.example", 0.9), id="free mail names nobody",
        ),
        pytest.param(
            [member("email::a@acme.example", kind="business", named_t=9), member("user::1", groups=group(1, name="Told"))],
            ("account:group:g42", "Told", None, 1.0), id="a group call beats both",
        ),
        pytest.param(
            [member("user::1", groups=group(1, name=7, domain="told.example"))],
            ("account:group:g42", "g42", "told.example", 1.0), id="a name that is no text is none",
        ),
    ],
)  # fmt: skip
def test_the_account(members: list[Identity], expected: tuple[str, str, str | None, float] | None) -> None:
    account = profile(*members).account()

    if expected is None:
        assert account is None
    else:
        assert account is not None
        assert (account["id"], account["name"], account["domain"], account["confidence"]) == expected


def test_among_equal_times_the_later_in_the_log_counts() -> None:
    one = member(
        "email::a@one.example", kind="business", named_t=1, company=company("One"), company_t=1, groups=group(1, name="One")
    )
    two = member("email::a@two.example", kind="free", named_t=1, company=company("Two"), company_t=1, groups=group(1, name="Two"))
    for stamps in ((5, 4), (4, 5)):
        newest = "One" if stamps[0] > stamps[1] else "Two"
        for who, stamp in zip((one, two), stamps, strict=True):
            who.named_stamp = who.state.company_stamp = who.state.groups["g42"].traits["name"].stamp = stamp

        told = profile(one, two)

        assert told.company is not None
        assert told.company.name == newest
        assert (told.account() or {})["name"] == newest
        assert told.get("email_kind") == ("business" if newest == "One" else "free")


def test_fit_sums_and_a_letter_counts_once() -> None:
    told = {"bant.budget": Trait(True, 1), "bant.money": Trait(True, 1), "company.industry": Trait("Oil", 1)}
    who = profile(member("user::1", traits=told))

    assert [fit.name for fit in who.fits] == ["oil", "budget", "money"]
    assert (who.fit, who.grade) == (31.0, "C")
    assert (profile(member("user::1")).fit, profile(member("user::1")).grade) == (0, "D")
