"""One broker or three, each behind a proxy that only the workers use: a quiet way for whoever watches, a rough one for them."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from stream.runtime.embedded import free_port
from tests.brokers import Broker, KafkaNode, Place, kafka_jars, wait_until
from tests.chaos.proxy import CALM, Proxy, Weather
from tests.kafka.group import admin_of, forget_clients


class Cluster:
    """`count` nodes in a folder of their own."""

    def __init__(self, folder: Path, count: int = 1) -> None:
        self.folder, self.count = folder, count
        voters = {node: f"127.0.0.1:{free_port()}" for node in range(1, count + 1)}
        self.nodes: list[KafkaNode] = []
        self.proxies: list[Proxy] = []
        for node in voters:
            proxy = Proxy("", f"proxy-{node}")
            made = KafkaNode(folder / f"kafka-{node}", kafka_jars(), Place(node, voters, proxy.address))
            proxy.target = made.behind
            self.nodes.append(made)
            self.proxies.append(proxy)

    def start(self) -> "Cluster":
        """Start all and wait until they answer."""
        for node, proxy in zip(self.nodes, self.proxies, strict=True):
            node.format()
            node.process.start()
            proxy.start()
        for node in self.nodes:
            node.wait_until_it_answers()
        return self

    @property
    def broker(self) -> Broker:
        """The quiet way."""
        return Broker(",".join(node.address for node in self.nodes), "kafka")

    @property
    def fronts(self) -> str:
        """The addresses that workers are given."""
        return ",".join(proxy.address for proxy in self.proxies)

    def end(self, index: int, *, gently: bool = False) -> None:
        """End a node by kill -9, or as an operator would."""
        process = self.nodes[index].process
        if gently:
            process.stop()
        else:
            process.kill()

    def wait_until_in_sync(self) -> None:
        """Wait until every partition has all its copies again, and a leader."""
        admin = admin_of(self.broker.address)
        wait_until(lambda: _in_sync(admin, self.count), 60, "all copies in sync")

    @contextlib.contextmanager
    def weather(self, weather: Weather) -> Iterator[None]:
        """Let all proxies have it; calm afterwards, with every connection that hangs cut."""
        for proxy in self.proxies:
            proxy.weather = weather
            if weather.refused:
                proxy.cut()
        try:
            yield
        finally:
            for proxy in self.proxies:
                proxy.weather = CALM
                if weather.deaf:
                    proxy.cut()

    @property
    def hurt(self) -> int:
        """How many frames the proxies have held up, swallowed or spoilt."""
        return sum(proxy.hurt for proxy in self.proxies)

    def forget(self, prefix: str) -> None:
        """Delete the topics of an installation."""
        admin = admin_of(self.broker.address)
        with contextlib.suppress(KafkaException):
            names = [name for name in admin.list_topics(timeout=10).topics if name.startswith(prefix)]
            for deleted in admin.delete_topics(names, operation_timeout=10).values():
                deleted.result()

    def stop(self) -> None:
        """End everything."""
        forget_clients()
        for proxy in self.proxies:
            proxy.stop()
        for node in self.nodes:
            node.process.kill()


class Clusters:
    """Keeps the cluster of the last schedule for the next one, if it is of the same size."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: Cluster | None = None
        self._made = 0

    def of(self, count: int) -> Cluster:
        """Return a running cluster of so many brokers."""
        if self._running is None or self._running.count != count:
            self.stop()
            self._made += 1
            self._running = Cluster(self._folder / f"cluster-{self._made}", count)
            self._running.start()
        return self._running

    def stop(self) -> None:
        """End what runs."""
        if self._running is not None:
            self._running.stop()
            shutil.rmtree(self._running.folder, ignore_errors=True)
        self._running = None


def _in_sync(admin: AdminClient, copies: int) -> bool:
    try:
        topics = admin.list_topics(timeout=5).topics.values()
    except KafkaException:
        return False
    partitions = [partition for topic in topics for partition in topic.partitions.values()]
    return all(p.leader >= 0 and len(p.isrs) >= min(copies, len(p.replicas)) == len(p.replicas) for p in partitions)
