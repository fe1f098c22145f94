"""What files say of an event: the company behind its address, machines by user agent, mailboxes, telephone numbers."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from schemas import phone
from stream.lookups.asn import AsnTable
from stream.lookups.companies import Companies, Source
from stream.lookups.errors import BadLookupFile, CorruptDatabase
from stream.lookups.hosting import read_asns, read_networks
from stream.lookups.mailboxes import EmailKind, Mailboxes
from stream.lookups.maxmind import MaxmindFile
from stream.lookups.networks import NetworkTable
from stream.lookups.ranges import read_ranges
from stream.lookups.robots import Robots
from stream.lookups.words import WordLists
from stream.stamps import stamp_of

if TYPE_CHECKING:
    from stream.domain.event import Company

__all__ = ["BadLookupFile", "CorruptDatabase", "Lookups"]

logger = logging.getLogger(__name__)


class Lookups:
    """All look-up files, read once: ranges (CSV), MaxMind databases in order, an ASN table, a folder of word lists.

    Raises BadLookupFile where one of them cannot be used.
    """

    def __init__(
        self,
        ranges: Path | str | None = None,
        mmdb: Sequence[Path | str] = (),
        asn: Path | str | None = None,
        lists: Path | str | None = None,
    ) -> None:
        words = WordLists(Path(lists) if lists else None)
        self._mailboxes = Mailboxes(words)
        self.is_bot: Callable[[str | None], bool] = Robots(words).is_bot
        """Tells whether a user agent is a crawler's or a mail scanner's."""
        # A third of the start: needed only where an organisation can be named, or to judge lists of one's own.
        self._named = bool(ranges or mmdb or asn)
        self._networks = read_networks(words) if self._named or lists else NetworkTable()
        self._hosting_asns = read_asns(words) if self._named or lists else frozenset()
        self._databases = [self._database(Path(path)) for path in mmdb]
        self._asn = self._asn_table(Path(asn)) if asn else None
        self._ranges_path = Path(ranges) if ranges else None
        self._ranges_seen = stamp_of(self._ranges_path)
        self.company: Callable[[str], Company | None] = self._read_companies().find if self._named else _nobody
        """Gives the company behind an address as a client or proxy wrote it; None where nothing names one."""

    def email_kind(self, address: str) -> EmailKind | None:
        """Return the first that fits of role, disposable, free, business; None where it is no address."""
        return self._mailboxes.kind(address)

    def phone(self, number: str, region: str | None = None) -> tuple[str | None, str]:
        """Return a telephone number's E.164 form (None: invalid) and its kind."""
        return phone.parse(number, region)

    def reload(self) -> bool:
        """Read the ranges file again if it changed since it was last looked at; tell whether a new table holds.

        A file that cannot be used leaves the old table and a line in the log. The new table is put in place in one
        step: a thread may reload while another looks up.
        """
        stamp = stamp_of(self._ranges_path)
        if stamp == self._ranges_seen:
            return False
        self._ranges_seen = stamp
        try:
            self.company = self._read_companies().find
        except BadLookupFile as error:
            logger.error("The old ranges stay in force: %s", error)  # noqa: TRY400 - one line says it all
            return False
        logger.info("%s: read again", self._ranges_path)
        return True

    def close(self) -> None:
        """Close the databases."""
        for database in self._databases:
            database.close()
        if self._asn is not None:
            self._asn.close()

    def _read_companies(self) -> Companies:
        ranges: NetworkTable[Company] = read_ranges(self._ranges_path) if self._ranges_path else NetworkTable()
        return Companies(ranges, self._databases, self._asn, self._networks)

    def _database(self, path: Path) -> MaxmindFile:
        return MaxmindFile(path, is_private=self._mailboxes.is_private, is_hosting=self._hosting_asns.__contains__)

    def _asn_table(self, path: Path) -> Source:
        if path.suffix == ".mmdb":
            return self._database(path)
        return AsnTable(path, is_hosting=self._hosting_asns.__contains__)


def _nobody(_ip: str) -> None:
    """Name no company: there is no file that does."""
