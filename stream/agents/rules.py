"""The ruleset in force: an empty partition takes the worker's own, afterwards what its table says holds."""

import logging

from stream.domain.log import FORMAT
from stream.domain.ruleset.load import load
from stream.domain.ruleset.model import Ruleset

RULESET_KEY = b"\x00ruleset"
log = logging.getLogger(__name__)
_HEAD = len(FORMAT) + 8


class RulesInForce:
    """Knows every ruleset it met by its text, so that each is compiled once."""

    def __init__(self, own: Ruleset) -> None:
        self.own = own
        self._known = {own.text: own}
        self._told: set[str] = set()

    def of(self, row: bytes) -> Ruleset:
        """Return the ruleset a stored row holds; say so once where it is not the worker's own."""
        text = row[_HEAD:]
        rules = self._known.get(text)
        if rules is None:
            rules = self._known[text] = load(text)
        return self.noted(rules)

    def noted(self, rules: Ruleset) -> Ruleset:
        """Say once that another ruleset than the worker's own is in force."""
        if rules.hash not in {self.own.hash, *self._told}:
            self._told.add(rules.hash)
            log.warning(
                "ruleset %s (%s) is in force, the worker's file is %s (%s): `leadstream ruleset deploy` puts it in force",
                rules.id, rules.hash, self.own.id, self.own.hash,
            )  # fmt: skip
        return rules

    def row(self) -> bytes:
        """Return the row that puts the worker's own ruleset in force."""
        return FORMAT + bytes(8) + self.own.text
