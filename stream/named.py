"""An identity or a lead as somebody types it, in a command or in an address."""

from schemas.keys import any_node_in
from stream.domain.asking import LEAD_ID, OR_A_LEAD
from stream.domain.ids import KINDS, NEEDS_SCOPE, NO_IDENTITY, UNSCOPED, kind_of, parse
from stream.errors import UsageError


def named(text: str, phone_region: str | None) -> str:
    """Return the identity as it is kept (an address in lower case, a number with its country), or the lead's id.

    Raises:
        UsageError: it is neither, or an id that does not exist.
    """
    if LEAD_ID.fullmatch(text) is not None:
        return text
    try:
        kind, scope, value = parse(text)
    except ValueError as error:
        raise UsageError(f"{error}, {OR_A_LEAD}") from error
    kind = KINDS.get(kind, kind)
    if scope and kind in UNSCOPED:
        raise UsageError(f"{text!r} is no id: a {kind} has no scope, write {kind}::{value}")
    if kind in NEEDS_SCOPE and not scope:
        raise UsageError(f"{text!r} is no id: a {kind} needs its scope, as in {kind}:wx1:{value}")
    node = any_node_in(kind, scope, value, phone_region)
    if node is None:
        raise UsageError(f"{text!r} is no id: {value!r} stands for nobody, or is no {kind}")
    return node


def linkable(text: str, phone_region: str | None) -> str:
    """Return `named`, where it may join somebody; raises as that does."""
    node = named(text, phone_region)
    if ":" in node and kind_of(node).lower() in NO_IDENTITY:
        raise UsageError(f"{text!r} links nobody: many share one {kind_of(node)}")
    return node


def meant(text: str, phone_region: str | None) -> str:
    """Return `named`, and what is no id as it was typed: whoever is asked about it says so."""
    try:
        return named(text, phone_region)
    except UsageError:
        return text
