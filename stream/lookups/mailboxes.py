"""What kind of mailbox an e-mail address is: role, disposable, free or business."""

import re
from collections.abc import Iterable
from functools import cached_property
from typing import Literal

from stream.lookups.words import Word, WordLists

EmailKind = Literal["role", "disposable", "free", "business"]
_NO_DOMAIN = re.compile(r"[@/: \t]")


class Mailboxes:
    """Tells mailboxes apart by the word lists `role-mailboxes`, `disposable-mail`, `free-mail`, `access-domains`."""

    def __init__(self, lists: WordLists) -> None:
        self._lists = lists
        if any(map(lists.replaces, ("role-mailboxes", "disposable-mail", "free-mail", "access-domains"))):
            _ = self._roles, self._disposable, self._free, self._access  # a mistake in one's own is told at the start

    # The shipped ones come when the first address does: a worker starts sooner without.

    @cached_property
    def _roles(self) -> frozenset[str]:
        return frozenset(word.text.lower() for word in self._lists.read("role-mailboxes"))

    @cached_property
    def _disposable(self) -> frozenset[str]:
        return frozenset(_domains(self._lists.read("disposable-mail")))

    @cached_property
    def _free(self) -> frozenset[str]:
        return frozenset(_domains(self._lists.read("free-mail")))

    @cached_property
    def _access(self) -> frozenset[str]:
        return frozenset(_domains(self._lists.read("access-domains")))

    def kind(self, address: str) -> EmailKind | None:
        """Return the first that fits of role, disposable, free, business; None where it is no address.

        A mailbox is a role with or without a `+tag`; a domain is disposable with all its subdomains, free itself only.
        """
        local, at, domain = address.strip().lower().partition("@")
        if not (local and at and domain) or "@" in domain or any(map(str.isspace, local + domain)):
            return None
        if local.partition("+")[0] in self._roles:
            return "role"
        if _within(domain, self._disposable):
            return "disposable"
        return "free" if domain in self._free else "business"

    def is_private(self, domain: str) -> bool:
        """Tell whether a domain is a mail or access provider's: its holder is somebody's home, no company."""
        domain = domain.lower()
        return domain in self._free or _within(domain, self._access)


def _within(domain: str, domains: frozenset[str]) -> bool:
    while domain:
        if domain in domains:
            return True
        domain = domain.partition(".")[2]
    return False


def _domains(words: Iterable[Word]) -> Iterable[str]:
    for word in words:
        domain = word.text.lower().removeprefix("@").strip(".")
        if not domain or _NO_DOMAIN.search(domain):
            raise word.bad(f"{word.text!r} is no domain")
        yield domain
