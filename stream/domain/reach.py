"""How many companies of a target list have been seen, how near they are, and who else was seen."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from stream.domain.claims import account_of
from stream.domain.event import Company

OFF = frozenset({"", "no", "false", "0", "-"})
"""What a cell says of a company that is on no list."""


@dataclass(frozen=True, slots=True)
class Met:
    """A company as its account shows it: where it stands, how many leads and other visitors it has."""

    id: str
    name: str
    domain: str | None
    stage: str
    order: int
    score: float
    people: int
    anonymous: int

    @property
    def is_seen(self) -> bool:
        """Whether anybody of it is known to come."""
        return bool(self.people or self.anonymous)


@dataclass(slots=True)
class Reach:
    """Companies of a list, or off all lists: those met, best first, and the names of those not met."""

    met: list[Met] = field(default_factory=list)
    unmet: list[str] = field(default_factory=list)

    @property
    def anonymous(self) -> int:
        """How many were met by anonymous visitors alone."""
        return sum(not met.people for met in self.met)

    @property
    def stages(self) -> dict[str, int]:
        """How many of those met stand in which stage, the highest first."""
        counts: dict[str, int] = {}
        for met in sorted(self.met, key=lambda met: -met.order):
            counts[met.stage] = counts.get(met.stage, 0) + 1
        return counts


def lists_of(companies: Iterable[Company], column: str) -> dict[str, dict[str, str]]:
    """Return the target lists of a ranges file: by list the name of every company, by its account id.

    A cell names the list, or several between semicolons; empty, no, false, 0 or - names none.
    """
    lists: dict[str, dict[str, str]] = {}
    for company in companies:
        for cell in str(company.get(column) or "").split(";"):
            if (name := cell.strip()).lower() not in OFF:
                lists.setdefault(name, {}).setdefault(account_of(company), company.name)
    return dict(sorted(lists.items()))


def reach(lists: Mapping[str, Mapping[str, str]], accounts: Iterable[Met]) -> tuple[dict[str, Reach], Reach]:
    """Return the reach of every list, and of the companies that are on none.

    An account of another id (one that a `group` call names) is the company whose domain it has.
    """
    met: dict[str, Met] = {}
    for account in accounts:
        if account.is_seen:
            id_ = f"account::{account.domain.lower()}" if account.domain else account.id
            met[id_] = _joined(met.get(id_), account)
    by_list = {}
    for name, companies in lists.items():
        here = [met[id_] for id_ in companies if id_ in met]
        by_list[name] = Reach(_best_first(here), sorted(called for id_, called in companies.items() if id_ not in met))
    listed = {id_ for companies in lists.values() for id_ in companies}
    return by_list, Reach(_best_first(each for id_, each in met.items() if id_ not in listed))


def _joined(one: Met | None, other: Met) -> Met:
    """Return one company of two accounts, as the one that stands higher shows it."""
    if one is None:
        return other
    best = max(one, other, key=lambda met: (met.order, met.score))
    return Met(
        best.id, best.name, best.domain, best.stage, best.order, one.score + other.score,
        one.people + other.people, one.anonymous + other.anonymous,
    )  # fmt: skip


def _best_first(met: Iterable[Met]) -> list[Met]:
    return sorted(met, key=lambda one: (-one.order, -one.score, one.id))
