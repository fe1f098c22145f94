"""The buying committee: what somebody's job says of their role in a purchase and of their department."""

from collections.abc import Callable, Container
from typing import Any, NamedTuple

from stream.domain.ruleset.model import Committee, TitleRule
from stream.domain.ruleset.titles import LONGEST, plain
from stream.domain.state import NEVER, Trait

REMEMBERED = 4096
NOBODY: tuple[str | None, str | None] = (None, None)


class Post(NamedTuple):
    """A role and a department, None where no rule names one, and when they were told (ms)."""

    role: str | None = None
    department: str | None = None
    role_t: int = NEVER
    department_t: int = NEVER


def post_of(trait: Callable[[str], Trait | None], rules: Committee) -> Post:
    """Return somebody's post; `trait` gives a merged trait by its path. A told role or department goes before the title's."""
    role, role_t = _told(trait, (rules.role, rules.title), 0, rules)
    department, department_t = _told(trait, (rules.department, rules.title), 1, rules)
    return Post(role, department, role_t, department_t)


def role_of(title: str, rules: Committee) -> tuple[str | None, str | None]:
    """Return the role and the department that a title (or the name of one) stands for: the first that fits of each."""
    known = rules.memo.get(title)
    if known is None:
        words = plain(title)
        known = (_first(rules.roles, words), _first(rules.departments, words))
        if len(title) <= LONGEST:
            if len(rules.memo) >= REMEMBERED:
                rules.memo.clear()
            rules.memo[title] = known
    return known


def missing(rules: Committee, seen: Container[str]) -> list[str]:
    """Return the wanted roles that nobody seen has, in the order of the file."""
    return [role for role in rules.wanted if role not in seen]


def _told(trait: Callable[[str], Trait | None], paths: tuple[str, ...], which: int, rules: Committee) -> tuple[str | None, int]:
    for path in paths:
        told = trait(path)
        if told is not None and (name := _named(told.value, rules)[which]) is not None:
            return name, told.t
    return None, NEVER


def _named(value: Any, rules: Committee) -> tuple[str | None, str | None]:
    """Return what a trait's value stands for; a list of titles is read as one."""
    if isinstance(value, list):
        value = ", ".join([each for each in value if isinstance(each, str)])
    return role_of(value, rules) if isinstance(value, str) else NOBODY


def _first(rules: tuple[TitleRule, ...], words: str) -> str | None:
    return next((rule.name for rule in rules if rule.fits(words)), None)
