# ruff: noqa: RUF001 - full width is what some people type
"""Titles as they stand on business cards, and what the shipped ruleset makes of them."""

import pytest

from stream.domain.committee import REMEMBERED, Post, missing, post_of, role_of
from stream.domain.ruleset.load import load
from stream.domain.ruleset.model import Committee
from stream.domain.ruleset.titles import LONGEST
from stream.domain.state import NEVER, Trait
from stream.rulesets import default_text

DECIDES, STOPS, SIGNS, ADVISES, WORKS = "decision_maker", "blocker", "approver", "influencer", "user"

TITLES = [
    # those at the top
    ("CEO", DECIDES, "management"),
    ("C.E.O.", DECIDES, "management"),
    ("Chief Executive Officer", DECIDES, "management"),
    ("Co-Founder & CEO", DECIDES, "management"),
    ("founder", DECIDES, "management"),
    ("Owner", DECIDES, "management"),
    ("Managing Director", DECIDES, "management"),
    ("General Manager", DECIDES, "management"),
    ("GM", DECIDES, "management"),
    ("Chairman of the Board", DECIDES, "management"),
    ("President", DECIDES, "management"),
    ("CTO", DECIDES, "it"),
    ("Chief Information Officer (CIO)", DECIDES, "it"),
    ("CFO", DECIDES, "finance"),
    ("Chief Financial Officer", DECIDES, "finance"),
    ("Chief Human Resources Officer", DECIDES, "hr"),
    ("CMO", DECIDES, "marketing"),
    ("Chief Operating Officer", DECIDES, "operations"),
    ("Chief Procurement Officer", DECIDES, "procurement"),
    ("VP Sales", DECIDES, "sales"),
    ("V.P. of Engineering", DECIDES, "research"),
    ("Vice-President, Marketing", DECIDES, "marketing"),
    ("Senior Vice President, Global Operations", DECIDES, "operations"),
    ("Executive Vice President", DECIDES, "management"),
    ("总经理", DECIDES, "management"),
    ("總經理", DECIDES, "management"),
    ("总 经 理", DECIDES, "management"),
    ("董事长兼总经理", DECIDES, "management"),
    ("ＣＥＯ", DECIDES, "management"),
    ("联合创始人/CEO", DECIDES, "management"),
    ("首席执行官", DECIDES, "management"),
    ("首席技术官", DECIDES, "it"),
    ("首席信息官", DECIDES, "it"),
    ("首席财务官", DECIDES, "finance"),
    ("副总经理", DECIDES, "management"),
    ("分管采购副总", DECIDES, "procurement"),
    ("营销副总裁", DECIDES, "marketing"),
    ("執行長", DECIDES, "management"),
    ("资讯长 CIO", DECIDES, "it"),
    ("厂长", DECIDES, "operations"),
    ("行政总裁", DECIDES, "management"),
    # those who can stop it
    ("General Counsel", STOPS, "legal"),
    ("Head of Legal", STOPS, "legal"),
    ("Compliance Officer", STOPS, "legal"),
    ("Data Protection Officer", STOPS, "legal"),
    ("Information Security Manager", STOPS, "it"),
    ("Internal Auditor", STOPS, "finance"),
    ("法务总监", STOPS, "legal"),
    ("法务经理", STOPS, "legal"),
    ("合规主管", STOPS, "legal"),
    ("信息安全工程师", STOPS, "it"),
    ("審計經理", STOPS, "finance"),
    # those who sign
    ("Director of Information Technology", SIGNS, "it"),
    ("IT Director", SIGNS, "it"),
    ("Head of IT", SIGNS, "it"),
    ("HR Director", SIGNS, "hr"),
    ("Head of People", SIGNS, "hr"),
    ("Finance Manager", SIGNS, "finance"),
    ("Financial Controller", SIGNS, "finance"),
    ("Procurement Manager", SIGNS, "procurement"),
    ("Sales Director", SIGNS, "sales"),
    ("Director, Business Development", SIGNS, "sales"),
    ("Head of Digital Marketing", SIGNS, "marketing"),
    ("Plant Manager", SIGNS, "operations"),
    ("Operations Director", SIGNS, "operations"),
    ("采购总监", SIGNS, "procurement"),
    ("采购部经理", SIGNS, "procurement"),
    ("采购经理", SIGNS, "procurement"),
    ("財務經理", SIGNS, "finance"),
    ("财务总监", SIGNS, "finance"),
    ("人力资源总监", SIGNS, "hr"),
    ("人事部長", SIGNS, "hr"),
    ("信息中心主任", SIGNS, "it"),
    ("技术总监", SIGNS, "it"),
    ("IT部门负责人", SIGNS, "it"),
    ("ＩＴ总监", SIGNS, "it"),
    ("市场总监", SIGNS, "marketing"),
    ("销售总监", SIGNS, "sales"),
    ("运营总监", SIGNS, "operations"),
    ("研发部部长", SIGNS, "research"),
    ("信息科科长", SIGNS, "it"),
    # those who are asked
    ("IT Manager", ADVISES, "it"),
    ("Marketing Manager", ADVISES, "marketing"),
    ("Key Account Manager", ADVISES, "sales"),
    ("Enterprise Architect", ADVISES, "it"),
    ("Solutions Architect", ADVISES, "it"),
    ("Business Analyst", ADVISES, None),
    ("Management Consultant", ADVISES, None),
    ("Senior Buyer", ADVISES, "procurement"),
    ("Product Owner", ADVISES, "research"),
    ("Chief of Staff", ADVISES, "administration"),
    ("Executive Assistant to the CEO", ADVISES, "administration"),
    ("HR Business Partner Lead", ADVISES, "hr"),
    ("Creative Director", ADVISES, None),
    ("销售经理", ADVISES, "sales"),
    ("产品经理", ADVISES, "research"),
    ("客户经理", ADVISES, "sales"),
    ("采购专员", ADVISES, "procurement"),
    ("系统架构师", ADVISES, "it"),
    ("总经理助理", ADVISES, "management"),
    ("董事长秘书", ADVISES, "administration"),
    ("人事主管", ADVISES, "hr"),
    ("高级工程师", ADVISES, "research"),
    ("項目經理", ADVISES, "operations"),
    # those who work with it
    ("Software Engineer", WORKS, "it"),
    ("Systems Administrator", WORKS, "it"),
    ("Accountant", WORKS, "finance"),
    ("Marketing Specialist", WORKS, "marketing"),
    ("Account Executive", WORKS, "sales"),
    ("HR Coordinator", WORKS, "hr"),
    ("Customer Service Representative", WORKS, "service"),
    ("Media Buyer", WORKS, "marketing"),
    ("Maintenance Technician", WORKS, "operations"),
    ("Secretary", WORKS, "administration"),
    ("软件工程师", WORKS, "it"),
    ("运维工程师", WORKS, "it"),
    ("会计", WORKS, "finance"),
    ("市场专员", WORKS, "marketing"),
    ("行政助理", WORKS, "administration"),
    ("生产操作员", WORKS, "operations"),
    ("网络营销专员", WORKS, "marketing"),
    ("售后客服", WORKS, "service"),
    ("系统管理员", WORKS, "it"),
    ("数据分析师", ADVISES, "it"),
    ("CEO助理", ADVISES, "management"),
    ("党委书记", DECIDES, "management"),
    ("Owner Operator", WORKS, None),
    ("Legal Secretary", WORKS, "legal"),
    ("Change Management Specialist", WORKS, None),
    ("Chief Customer Officer", DECIDES, "service"),
    # words that only look like one
    ("MVP", None, None),
    ("Victor", None, None),
    ("Octocto", None, None),
    ("Unit", None, None),
    ("Marketing Intern", None, "marketing"),
    ("市场部实习生", None, "marketing"),
    ("Student", None, None),
    ("Former CEO, retired", None, "management"),
    ("", None, None),
    ("🙂", None, None),
]


@pytest.mark.parametrize(("title", "role", "department"), TITLES, ids=[title or "no title" for title, *_ in TITLES])
def test_a_title_stands_for_a_role_and_a_department(title: str, role: str | None, department: str | None) -> None:
    """In English and Chinese, in any case and width, and whole words only."""
    assert role_of(title, RULES) == (role, department)
    assert role_of(f"  {title.upper()} ", RULES) == (role, department)


RULES = load(default_text()).committee


def _traits(**told: object) -> dict[str, Trait]:
    return {path: Trait(value, t) for t, (path, value) in enumerate(told.items(), 1)}


@pytest.mark.parametrize(
    ("told", "post"),
    [
        ({}, Post()),
        ({"title": "Head of IT"}, Post("approver", "it", 1, 1)),
        ({"title": None}, Post()),
        ({"title": 7}, Post()),
        ({"title": ["Head of IT", 7]}, Post("approver", "it", 1, 1)),
        ({"title": "Head of IT", "department": "Finance"}, Post("approver", "finance", 1, 2)),
        ({"title": "Head of IT", "department": "人力资源部"}, Post("approver", "hr", 1, 2)),
        ({"title": "Head of IT", "department": "the seventh floor"}, Post("approver", "it", 1, 1)),
        ({"title": "Head of IT", "buying_role": "Decision Maker"}, Post("decision_maker", "it", 2, 1)),
        ({"title": "Head of IT", "buying_role": "BLOCKER"}, Post("blocker", "it", 2, 1)),
        ({"title": "Clerk", "buying_role": "BUDGET_HOLDER"}, Post("approver", None, 2, NEVER)),
        ({"buying_role": "unheard of"}, Post()),
    ],
)
def test_a_told_role_or_department_goes_before_the_title(told: dict[str, object], post: Post) -> None:
    """Each with the time at which it was told."""
    assert post_of(_traits(**told).get, RULES) == post


def test_the_traits_may_have_other_names() -> None:
    """A CRM calls them as it likes."""
    rules = load(b'[committee.traits]\ntitle = "job.position"\n[committee.roles.boss]\ntitles = ["boss"]').committee
    assert post_of({"job.position": Trait("Big Boss", 5)}.get, rules) == Post("boss", None, 5, NEVER)


def test_who_is_missing_is_told_in_the_order_of_the_file() -> None:
    """Of the roles wanted, those nobody has."""
    assert missing(RULES, {"approver", "user"}) == ["decision_maker", "influencer", "blocker"]
    assert missing(RULES, RULES.wanted) == []
    assert missing(Committee(), ()) == []


def test_without_a_committee_nobody_has_a_role() -> None:
    """A ruleset says who is who, or nobody does."""
    rules = load(b"")
    assert post_of({"title": Trait("CEO", 1)}.get, rules.committee) == Post()
    assert rules.committee.wanted == ()


def test_what_is_remembered_of_titles_is_bounded() -> None:
    """Everybody may write a new title into a form, and a long one."""
    for number in range(REMEMBERED + 10):
        role_of(f"Engineer {number}", RULES)
    assert len(RULES.memo) <= REMEMBERED
    long = "x" * LONGEST + " ceo"
    assert role_of(long, RULES) == (None, None)
    assert long not in RULES.memo
