"""The ruleset in force: an empty partition takes the worker's own, afterwards what its table and its log say holds."""

import logging

from stream.domain import editions, ownrows
from stream.domain.editions import Edition, Editions, loaded
from stream.domain.log import NewRuleset, Unreadable, decode
from stream.domain.ruleset.model import Ruleset

RULESET_KEY = ownrows.RULESET
REMEMBERED = 64
FORMATS = 0x20
"""Format bytes are below it; what begins otherwise was never written by us."""
log = logging.getLogger(__name__)


class RulesInForce:
    """Knows every ruleset and row it met by its bytes, so that each is read once."""

    def __init__(self, own: Ruleset) -> None:
        self.own = own
        self._known = {own.text: own}
        self._rows: dict[bytes, Editions] = {}
        self._told: set[str] = set()

    def row(self) -> bytes:
        """Return the row that puts the worker's own ruleset in force from the beginning."""
        return editions.row(Editions([Edition(0, 0, self.own.text)]))

    def editions(self, row: bytes) -> Editions:
        """Return what a partition's row says of the rulesets that hold in it."""
        found = self._rows.get(row)
        if found is None:
            if len(self._rows) >= REMEMBERED:
                self._rows.clear()
            found = self._rows[row] = editions.read(row)
        return found

    def of(self, edition: Edition) -> Ruleset:
        """Return the ruleset of an edition."""
        rules = self._known.get(edition.text)
        if rules is None:
            rules = self._known[edition.text] = loaded(edition.text)
        return rules

    def came(self, edition: Edition, where: str, offset: int) -> None:
        """Say where a ruleset came into force."""
        rules = self.noted(self.of(edition))
        log.info("ruleset %s is in force in %s from offset %d on", rules.called, where, offset)

    def noted(self, rules: Ruleset) -> Ruleset:
        """Say once that another ruleset than the worker's own is in force."""
        if rules.hash not in {self.own.hash, *self._told}:
            self._told.add(rules.hash)
            log.warning(
                "ruleset %s is in force, the worker's file is %s: `leadstream ruleset deploy` puts it in force",
                rules.called, self.own.called,
            )  # fmt: skip
        return rules


def new_ruleset(value: bytes | None) -> NewRuleset | None:
    """Return what such a record says; None for one that is none of ours. Raises `Unreadable` for a newer release's."""
    if not value or value[0] >= FORMATS:
        return None
    told = decode(value)
    if not isinstance(told, NewRuleset):
        raise Unreadable(f"a record that should put a ruleset in force holds a {type(told).__name__}")
    return told
