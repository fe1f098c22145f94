"""Being in the group: a static member that comes back elsewhere, and a membership that ended without a word."""

import logging
from typing import cast

from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from faust.assignor.client_assignment import ClientMetadata
from faust.assignor.partition_assignor import PartitionAssignor

log = logging.getLogger(__name__)
SILENCE_S = 60.0
"""A worker that has not been answered by its group for so long ends: it would hang for ever."""


class Cut(Exception):  # noqa: N818 - the word for it
    """The group does not know this worker any more, or does not answer."""


class Assignor(PartitionAssignor):
    """Faust's assignor for static members that come back under another address.

    Kafka then repeats the old assignment with the old address in it; Faust asserts that it cannot, and hangs.
    """

    moved = False
    """Whether the newest assignment names us by an address that we do not have any more."""

    def on_assignment(self, assignment: ConsumerProtocolMemberAssignment) -> None:
        """Take an assignment over."""
        told = cast("ClientMetadata", ClientMetadata.loads(self._decompress(assignment.user_data)))
        self.moved = told.url != str(self._url)
        self._assignment = told.assignment
        self._topic_groups = dict(told.topic_groups)
        self._active_tps = self._assignment.active_tps
        self._standby_tps = self._assignment.standby_tps
        self.changelog_distribution = told.changelog_distribution
        self.external_topic_distribution = told.external_topic_distribution
        if self.moved:
            log.info("known to the group as %s, now at %s: joining anew", told.url, self._url)
