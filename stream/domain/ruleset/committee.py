"""Reads [committee]: which titles stand for which role in a purchase, and for which department."""

from stream.domain.ruleset.model import Committee, TitleRule
from stream.domain.ruleset.table import Table
from stream.domain.ruleset.titles import Phrases, plain

TITLES = 'titles as whole words, like ["chief * officer", "ceo", "总经理"]; "*" stands for any text'
TRAITS = {"title": "title", "department": "department", "role": "buying_role"}
"""Which traits tell a person's title, department and role, where the file names no others."""


def read_committee(root: Table) -> Committee:
    """Read the roles and departments in file order; without the section nobody has any."""
    table = root.table("committee")
    table.only("wanted", "traits", "roles", "departments")
    roles, departments = _read_rules(table, "roles"), _read_rules(table, "departments")
    names = [rule.name for rule in roles]
    traits = table.table("traits")
    traits.only(*TRAITS)
    return Committee(
        roles=roles,
        departments=departments,
        wanted=tuple(dict.fromkeys(table.texts("wanted", names, names))),
        title=traits.text("title", TRAITS["title"]),
        department=traits.text("department", TRAITS["department"]),
        role=traits.text("role", TRAITS["role"]),
    )


def _read_rules(committee: Table, key: str) -> tuple[TitleRule, ...]:
    found = []
    for name, table in committee.tables(key):
        table.only("titles", "except")
        table.need("titles", TITLES)
        found.append(TitleRule(name, plain(name), Phrases(_phrases(table, "titles")), Phrases(_phrases(table, "except"))))
    return tuple(found)


def _phrases(table: Table, key: str) -> tuple[str, ...]:
    texts = table.texts(key, ())
    for number, text in enumerate(texts):
        if not any(map(str.isalnum, text)):
            table.mistakes.add((*table.path, key, number), TITLES)
    if key in table and not texts:
        table.wrong(key, TITLES)
    return texts
