"""Being in the group: who gets what, a static member that comes back elsewhere, a membership that ended without a word."""

import logging
from typing import Any, cast

from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from faust.assignor.client_assignment import ClientAssignment, ClientMetadata, CopartitionedAssignment
from faust.assignor.partition_assignor import PartitionAssignor

from stream.runtime.spreading import spread

log = logging.getLogger(__name__)


class Assignor(PartitionAssignor):
    """Faust's assignor, but nothing moves that need not, and a static member may come back under another address.

    When one joins, Faust takes from each member what goes beyond the smallest share: of 8 partitions of two, four move.
    To who comes back elsewhere Kafka repeats the old assignment with the old address; Faust asserts that it cannot, and hangs.
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

    def _perform_assignment(self, cluster: Any, member_metadata: Any) -> Any:
        told = {member: self._get_client_metadata(said) for member, said in member_metadata.items()}
        subscribed = {member: list(said.subscription) for member, said in member_metadata.items()}
        self._update_member_urls(told)
        given = {member: ClientAssignment(actives={}, standbys={}) for member in told}
        groups: dict[str, int] = {}
        known = self._get_copartitioned_groups({topic for topics in subscribed.values() for topic in topics}, cluster, subscribed)
        for group, (partitions, together) in enumerate(sorted(known.items())):
            for topics in together:
                held = {
                    member: told[member].assignment.copartitioned_assignment(topics).actives
                    for member in told
                    if topics.issubset(subscribed[member])
                }
                for member, share in spread(partitions, held).items():
                    given[member].add_copartitioned_assignment(CopartitionedAssignment(actives=share, topics=topics))
                groups |= dict.fromkeys(topics, group)
        tables, sources = self._get_changelog_distribution(given), self._get_external_topic_distribution(given)
        return self._protocol_assignments(given, tables, sources, groups)
