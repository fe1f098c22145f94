"""The ruleset: the one file that marketing, sales and CRM share."""

from stream.domain.ruleset.load import load
from stream.domain.ruleset.mistakes import Mistake, RulesetError
from stream.domain.ruleset.model import Ruleset

__all__ = ["Mistake", "Ruleset", "RulesetError", "load"]
