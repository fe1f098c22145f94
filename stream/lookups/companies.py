"""The company behind an address: the first source that names one, its kind as hosting and VPN networks leave it."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Protocol

import msgspec

from stream.domain.event import Company
from stream.lookups.addresses import parse
from stream.lookups.layouts import CONFIDENCE
from stream.lookups.maxmind import Answer, MaxmindFile
from stream.lookups.networks import NetworkTable

_KNOWN = 65_536
_LONGEST_ADDRESS = 45
"""Characters of an address without zone, brackets or a list: what a client sends at length is not remembered."""


class Source(Protocol):
    """A database or a table that may name who holds an address."""

    @property
    def as_of(self) -> str:
        """Its build date, RFC 3339, or empty."""

    def find(self, packed: bytes) -> Answer:
        """Return what it says of an address."""

    def close(self) -> None:
        """Close its file."""


class Companies:
    """Answers from ranges, then from the databases in their order, then from the ASN table.

    Hosting and VPN networks are laid over the ranges once, here: an answer from ranges costs one look-up.
    """

    def __init__(
        self,
        ranges: NetworkTable[Company],
        databases: Sequence[MaxmindFile],
        asn: Source | None,
        networks: NetworkTable[str],
    ) -> None:
        self._ranges = ranges.overlaid(networks, _of_kind)
        self._hiding = tuple(database for database in databases if database.hides)
        self._sources: tuple[Source, ...] = (*databases, *([asn] if asn is not None else []))
        self._networks = networks
        self._searched = lru_cache(maxsize=_KNOWN)(self._search)
        self._found = lru_cache(maxsize=_KNOWN)(self._find)

    def find(self, ip: str) -> Company | None:
        """Return the company of an address as it came, or None where there is none or it is no address.

        A visit has one address and several events: the answer is remembered by the address as written, if that is short.
        """
        return self._found(ip) if len(ip) <= _LONGEST_ADDRESS else self._find(ip)

    def _find(self, ip: str) -> Company | None:
        packed = parse(ip)
        if packed is None:
            return None
        company = self._ranges.find(packed)
        if company is None:
            return self._searched(packed) if self._sources else None
        return _of_kind(company, self._hidden(packed)) if self._hiding else company

    def _search(self, packed: bytes) -> Company | None:
        named: tuple[Source, Answer] | None = None
        domain = disguise = ""
        for source in self._sources:
            answer = source.find(packed)
            domain = domain or answer.finding.domain
            disguise = disguise or answer.finding.disguise
            if named is None and answer.finding.name:
                named = source, answer
        if named is None:
            return None
        source, (found, network) = named
        kind = disguise or self._networks.find(packed) or found.kind
        return Company(found.name, found.domain or domain, kind, CONFIDENCE[found.layout], found.layout, network, source.as_of)

    def _hidden(self, packed: bytes) -> str:
        return next(filter(None, (database.find(packed).finding.disguise for database in self._hiding)), "")


def _of_kind(company: Company, kind: str) -> Company:
    return msgspec.structs.replace(company, kind=kind) if kind else company
