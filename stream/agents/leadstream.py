"""A worker's own state, for who asks from outside the flow: rows held here, the people, whether it is ready."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from faust.types import TP
from mode.types import ServiceT

from stream.agents.topics import Topics
from stream.domain.people import People
from stream.ops.metrics import Metrics
from stream.runtime.flow import Flow
from stream.runtime.producer import partition_of
from stream.settings import Settings

if TYPE_CHECKING:
    from stream.agents.accounts import AccountsLog
    from stream.agents.people import PeopleLog
    from stream.agents.visitors import Visitors

MakeService = Callable[["Leadstream"], ServiceT]


class Leadstream:
    """What the pages, the API and the commands may ask of a worker; `app.leadstream`.

    `services` are made when the app starts, before anything is restored, and end with it: append to the list. The agents' work is
    set by who makes the app.
    """

    visitors: "Visitors"
    people_log: "PeopleLog"
    accounts_log: "AccountsLog"

    def __init__(self, settings: Settings, flow: Flow, topics: Topics, metrics: Metrics) -> None:
        self.settings, self.flow, self.topics, self.metrics = settings, flow, topics, metrics
        self.services: list[MakeService] = []

    @property
    def ready(self) -> bool:
        """Assigned and restored, and the group answers."""
        return self.flow.ready and self.flow.alive

    @property
    def restoring(self) -> bool:
        """Whether rows are still being read."""
        return not self.flow.ready

    def partition_of(self, node: str) -> int:
        """Return the partition of `events` that an identity's row belongs to."""
        return partition_of(node.encode(), self.settings.partitions)

    def owns(self, partition: int) -> bool:
        """Tell whether this worker holds a partition of `events`, restored."""
        return TP(self.topics.events, partition) in self.flow.running

    @property
    def owns_people(self) -> bool:
        """Whether this worker holds the people, restored."""
        return TP(self.topics.people, 0) in self.flow.running

    def row_of(self, node: str) -> bytes | None:
        """Return the row of an identity as of now, unwritten changes included; None: not here or never seen."""
        partition = self.partition_of(node)
        if not self.owns(partition):
            return None
        return self.visitors.table.open(partition).bytes_of(node.encode())

    @property
    def people(self) -> People | None:
        """The people, where they are held here; to read, not to change."""
        if not self.owns_people:
            return None
        return self.people_log.table.open(0).fold
