"""What is asked by those who watch: `/v1/lag`, `/metrics`, `/health/…`."""

from collections import defaultdict
from contextlib import suppress
from math import inf

from aiohttp import web
from aiokafka.errors import KafkaError
from faust.types import TP
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from stream.agents.leadstream import Leadstream
from stream.errors import CommandError
from stream.ops.clock import clock_of
from stream.ops.evaluator import Status
from stream.ops.exposition import Exposition
from stream.ops.lag import Lag, Report
from stream.web.answers import NotNow, as_json
from stream.web.held import Held, now_ms
from stream.web.lagging import Lagging


class Watching:
    """The handlers."""

    def __init__(self, worker: Leadstream, held: Held, lagging: Lagging) -> None:
        self._worker, self._held, self._lagging = worker, held, lagging
        worker.metrics.registry.register(Exposition(worker.settings.app, self._own))

    def routes(self) -> list[web.RouteDef]:
        """Return the addresses answered."""
        return [
            web.get("/v1/lag", self.lag),
            web.get("/metrics", self.metrics),
            web.get("/health/live", self.live),
            web.get("/health/ready", self.ready),
        ]

    async def lag(self, _: web.Request) -> web.Response:
        """Answer how far the group is behind."""
        return as_json((await self.report()).document())

    async def report(self) -> Report:
        """Measure; raises `NotNow` where Kafka does not answer."""
        try:
            return await self._lagging.measure()
        except (CommandError, KafkaError) as error:
            raise NotNow(f"the lag could not be measured: {error}") from error

    async def metrics(self, _: web.Request) -> web.Response:
        """Answer Prometheus."""
        metrics, people = self._worker.metrics, self._held.people
        metrics.timers.set(0 if people is None else len(people.leads.timers))
        for table, rows in self._held.rows().items():
            metrics.rows.labels(table).set(rows)
        metrics.recovery.set(self._worker.flow.recovery_s)
        metrics.ready.set(self._worker.ready)
        self._forget_clocks()
        self._tell_clock()
        return web.Response(body=generate_latest(metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def live(self, _: web.Request) -> web.Response:
        """Answer that the loop turns; lag is no reason to restart."""
        return as_json({"live": True})

    async def ready(self, _: web.Request) -> web.Response:
        """Answer whether rows are assigned and restored and Kafka answers; while they are restored, how far that is."""
        flow = self._worker.flow
        state: dict[str, object] = {
            "ready": self._worker.ready, "restored": flow.ready, "kafka": flow.alive, "partitions": len(flow.running),
        }  # fmt: skip
        if flow.restoring is not None:
            state["restoring"] = flow.restoring.document()
        return as_json(state, 200 if self._worker.ready else NotNow.status)

    def _forget_clocks(self) -> None:
        """Tell nothing of partitions that went: another worker tells of them."""
        topic = self._worker.topics.events
        for partition in range(self._worker.settings.partitions):
            if not self._held.holds(TP(topic, partition)):
                with suppress(KeyError):
                    self._worker.metrics.clock_lag.remove(str(partition))

    def _tell_clock(self) -> None:
        people, gauge = self._held.people, self._worker.metrics.people_clock
        gauge.clear()
        if people is not None:
            clock = clock_of(people.log.ticks, people.partitions, now_ms())
            if clock.partition is not None:
                gauge.labels(str(clock.partition)).set(inf if clock.seconds is None else clock.seconds)

    def _own(self) -> Report:
        """Return what this worker tells: two may not tell of one partition, but that it stands or that nobody can tell."""
        report, lags = self._lagging.report, defaultdict[bool, list[Lag]](list)
        for lag in report.lags:
            lags[self._held.holds(TP(lag.topic, lag.partition))].append(lag)
        stopped = [lag for lag in lags[False] if lag.status in {Status.STOP, Status.UNKNOWN}]
        if not self._held.holds(self._held.people_place):
            return Report(lags[True], report.clock, elsewhere=stopped)
        return Report(lags[True], report.clock, report.others, report.copies, elsewhere=stopped)
