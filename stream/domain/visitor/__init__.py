"""Visitors: one row for each source identity. `apply` is the rule, the rest is what becomes of a row besides."""

from stream.domain.visitor.earning import DAYS, TIMES
from stream.domain.visitor.grave import bury, disown, is_erased, rise
from stream.domain.visitor.row import Visitor, decode, encode, is_forgotten, seems_forgotten
from stream.domain.visitor.rule import LINKS, REMEMBERED, REPLAYS, Outcome, apply, remember, say_again, wake

__all__ = [
    "DAYS",
    "LINKS",
    "REMEMBERED",
    "REPLAYS",
    "TIMES",
    "Outcome",
    "Visitor",
    "apply",
    "bury",
    "decode",
    "disown",
    "encode",
    "is_erased",
    "is_forgotten",
    "remember",
    "rise",
    "say_again",
    "seems_forgotten",
    "wake",
]
