"""Whose word counts on identities of class A, where the ruleset trusts only servers (`[identity] trusted_only`)."""

from stream.domain.event import Event, Link
from stream.domain.ids import class_of, kind_of
from stream.domain.ruleset.model import Ruleset


def doubt(event: Event, rules: Ruleset) -> None:
    """Take from an event that nobody but a browser vouches for the links that do not count then.

    It keeps its key and all else: what is said to be done by somebody known is theirs, but nobody becomes them by it.
    """
    if event.links and rules.trusted_only:
        event.links = believed(event.node, event.links)


def believed(key: str, links: tuple[Link, ...]) -> tuple[Link, ...]:
    """Return the links of a browser's event that count: none to an identity of class A, and none of a key that is one.

    >>> believed("anon::9f2c", (Link("user::42"), Link("email::x@acme.example")))
    (Link(node='email::x@acme.example', kind=''),)
    >>> believed("user::42", (Link("anon::9f2c"),))
    ()
    """
    if _is_registered(key):
        return ()
    return tuple(link for link in links if not _is_registered(link.node))


def _is_registered(node: str) -> bool:
    return class_of(kind_of(node)) == "A"
