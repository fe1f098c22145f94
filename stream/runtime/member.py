"""A member of a group: when it leaves, how it joins anew, whether the group still knows it."""

import asyncio
import logging
from contextlib import suppress
from typing import Any, cast

from aiokafka.errors import KafkaError
from aiokafka.protocol.group import LeaveGroupRequest
from faust.transport.drivers import aiokafka as driver

from stream.runtime import refusals

log = logging.getLogger(__name__)
LEAVE_S = 5.0


class Member(driver.AIOKafkaConsumerThread):
    """Faust's consumer thread, as its group knows it."""

    left = False
    """Whether this worker has left the group by itself, to join it anew."""
    _closing: asyncio.Future[None] | None = None

    async def on_thread_stop(self) -> None:
        """End once the group and Kafka have been told."""
        if self._closing is not None:
            await self._closing
        await super().on_thread_stop()

    def close(self) -> None:
        """Leave the group and hang up when a rebalance meets a stop: all is written then. May be called from any thread.

        Faust closes connections in its own loop: one thread then frees what the other is reading from, which ends the process.
        """
        with suppress(RuntimeError):  # a thread that has ended has hung up
            self.thread_loop.call_soon_threadsafe(self._begin_to_close)

    def _begin_to_close(self) -> None:
        if self._consumer is not None and self._closing is None:
            self._consumer._closed = True
            self._closing = asyncio.ensure_future(self._close(self._consumer))

    async def _close(self, consumer: Any) -> None:
        with suppress(TimeoutError):  # who joins just then waits for all others
            async with asyncio.timeout(LEAVE_S):
                await asyncio.gather(consumer._coordinator.close(), return_exceptions=True)
        await asyncio.gather(consumer._client.close(), consumer._fetcher.close(), return_exceptions=True)

    def says_goodbye(self, coordinator: Any) -> None:
        """Let a static member tell the group that it will not be back, where any other does; aiokafka never does that for it.

        That is when the coordinator's tasks have ended: a member that left before would hear so with its next heartbeat, and join
        again. A thread that is ended before it has joined tells nobody.
        """
        if coordinator._group_instance_id is not None:
            coordinator._maybe_leave_group = self._leave_for_good

    async def _leave_for_good(self) -> None:
        try:
            async with asyncio.timeout(LEAVE_S):
                await self._leave_group()
        except TimeoutError:
            log.warning("the group was not told that this worker leaves: no answer in %.0f s", LEAVE_S)
        cast("Any", self._ensure_consumer()._coordinator).reset_generation()

    async def _leave_group(self) -> None:
        coordinator = cast("Any", self._ensure_consumer()._coordinator)
        if coordinator.generation < 0 or coordinator._group_instance_id is None:
            return
        try:
            await coordinator._send_req(LeaveGroupRequest(coordinator.group_id, coordinator.member_id))
        except KafkaError as cause:  # a stop that raises leaves this thread running, and so the process
            log.warning("the group was not told that this worker leaves: %r", cause)

    async def join_anew(self) -> None:
        """Leave the group and join it again, so that all members hear of our new address."""
        await self.call_thread(self._join_anew)

    async def _join_anew(self) -> None:
        self.left = True
        await self._leave_group()
        cast("Any", self._ensure_consumer()._coordinator).reset_generation()

    def is_let_go(self) -> bool:
        """Tell whether the group knows this worker no more: others may have its partitions. May be asked from any thread.

        A group's first generation is 1 with Apache Kafka and 0 with the embedded broker; aiokafka forgets it with -1.
        """
        return self._consumer is not None and not self.left and cast("Any", self._consumer._coordinator).generation < 0

    async def check_membership(self) -> None:
        """Raise what ended the membership, if anything did; aiokafka tells only who reads records its way."""
        await self.call_thread(self._check_membership)

    async def _check_membership(self) -> None:
        coordinator = cast("Any", self._ensure_consumer()._coordinator)
        try:
            coordinator.check_errors()
        except KafkaError as cause:
            raise refusals.of_joining(cause, coordinator.group_id, coordinator._session_timeout_ms) from cause
