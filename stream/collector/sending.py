"""Events on their way into Kafka: a request is answered when all that was sent for it is acknowledged.

librdkafka gathers the records of many requests into one batch a partition, retries, and keeps their order; its thread costs
no time of ours, and its callbacks run where it is polled: in the event loop, every millisecond while something is on its way.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from stream.collector.request import Refused
from stream.errors import UnreachableError
from stream.runtime.embedded import CLUSTER_ID
from stream.runtime.topics import RECORD_BYTES
from stream.settings import PREFIX, Settings, no_topic

logger = logging.getLogger(__name__)

DELIVERY_S: Final = 5.0
"""How long Kafka may take to acknowledge; then the client comes again."""
LINGER_MS: Final = 3
POLL_S: Final = 0.001
IDLE_POLL_S: Final = 0.5
RETRY_AFTER_S: Final = 2
HEADROOM: Final = 2_048
"""What key, headers and framing of a record may take beside its value."""
LARGEST_VALUE: Final = RECORD_BYTES - HEADROOM
WAITING_BYTES: Final = 64 * 1024 * 1024
WAITING_RECORDS: Final = 100_000
CONNECT_S: Final = 10.0

Headers = list[tuple[str, str | bytes]]


class Record(msgspec.Struct, frozen=True, gc=False):
    """A record of `events`. A Struct, because it is made three times as quickly as a tuple with names."""

    key: bytes | None
    value: bytes
    headers: Headers | None = None


class _Delivery:
    """Counts the acknowledgements of one request; the first that fails decides."""

    __slots__ = ("done", "left", "sender")

    def __init__(self, sender: "Sender", left: int, done: "asyncio.Future[None]") -> None:
        self.sender, self.left, self.done = sender, left, done

    def __call__(self, error: KafkaError | None, _: Message) -> None:
        self.sender.waiting -= 1
        self.left -= 1
        if self.done.done():
            return
        if error is not None:
            self.done.set_exception(unavailable(error))
        elif not self.left:
            self.done.set_result(None)


class Sender:
    """Sends records to `events`; `failed` is done, with the reason, when nothing can be sent any more."""

    def __init__(self, settings: Settings, *, embedded: bool = False) -> None:
        """Make the producer, and poll it in the running loop."""
        self.waiting = 0
        self._loop = asyncio.get_running_loop()
        self._nothing_waits = asyncio.Event()
        self.failed: asyncio.Future[str] = self._loop.create_future()
        self._topic = settings.topic("events")
        self._producer = Producer(
            client(settings)
            | {
                "acks": "all",
                "enable.idempotence": not embedded,
                "partitioner": "murmur2_random",
                "linger.ms": LINGER_MS,
                "message.max.bytes": RECORD_BYTES,
                "message.timeout.ms": int(DELIVERY_S * 1000),
                "queue.buffering.max.messages": WAITING_RECORDS,
                "queue.buffering.max.kbytes": WAITING_BYTES // 1024,
                "error_cb": self._failed,
            }
        )
        self._timer = self._loop.call_later(IDLE_POLL_S, self._poll)

    def send(self, records: Sequence[Record]) -> "asyncio.Future[None]":
        """Hand records on; the future is done when Kafka has acknowledged all of them, or raises Refused(503).

        Raises Refused(503) at once where too much waits already; what was handed on before that is sent all the same.
        """
        done: asyncio.Future[None] = self._loop.create_future()
        delivery = _Delivery(self, len(records), done)
        if not self.waiting:
            self._poll_in(POLL_S)
        produce, topic = self._producer.produce, self._topic
        try:
            for record in records:
                if record.headers:
                    produce(topic, record.value, record.key, on_delivery=delivery, headers=record.headers)
                else:
                    produce(topic, record.value, record.key, on_delivery=delivery)
                self.waiting += 1
        except (BufferError, KafkaException) as error:
            done.cancel()
            raise unavailable(error) from error
        return done

    async def stop(self) -> None:
        """Wait until all is acknowledged or given up, and stop polling."""
        self._nothing_waits.clear()
        self._poll()
        await self._nothing_waits.wait()
        self._timer.cancel()

    @property
    def reachable(self) -> bool:
        """Whether a broker answers; asks it, and so takes up to a second."""
        try:
            self._producer.list_topics(self._topic, timeout=1.0)
        except KafkaException:
            return False
        return True

    def _poll(self) -> None:
        self._producer.poll(0)
        if not self.waiting:
            self._nothing_waits.set()
        self._poll_in(POLL_S if self.waiting else IDLE_POLL_S)

    def _poll_in(self, seconds: float) -> None:
        self._timer.cancel()
        self._timer = self._loop.call_later(seconds, self._poll)

    def _failed(self, error: KafkaError) -> None:
        logger.warning("Kafka: %s", error.str())
        if error.fatal() and not self.failed.done():
            self.failed.set_result(error.str())


def unavailable(error: object) -> Refused:
    """Return the answer to a client whose events do not lie in Kafka."""
    reason = error.str() if isinstance(error, KafkaError) else str(error)
    return Refused(503, "kafka", f"the events are not stored, send them again: {reason}", RETRY_AFTER_S)


def client(settings: Settings) -> dict[str, Any]:
    """Return what librdkafka takes to connect."""
    told: dict[str, Any] = {
        "bootstrap.servers": ",".join(settings.kafka),
        "client.id": f"{settings.app}-collector",
        "security.protocol": settings.kafka_security,
        "reconnect.backoff.max.ms": 1000,
        "socket.connection.setup.timeout.ms": 5000,
        "log_level": 0,  # what matters comes by error_cb
        "sasl.mechanism": settings.kafka_mechanism if settings.kafka_security.startswith("sasl") else None,
        "sasl.username": settings.kafka_username,
        "sasl.password": settings.kafka_password,
        "ssl.ca.location": settings.kafka_ca or "probe",
        "ssl.certificate.location": settings.kafka_cert,
        "ssl.key.location": settings.kafka_key,
    }
    if not settings.kafka_security.endswith("ssl"):
        told = {name: value for name, value in told.items() if not name.startswith("ssl.")}
    return {name: str(value) if name.endswith("location") else value for name, value in told.items() if value is not None}


def find_kafka(settings: Settings) -> bool:
    """Look whether Kafka answers and `events` is there; tell whether it is the embedded broker.

    Raises UnreachableError, UsageError.
    """
    topic = settings.topic("events")
    settings.ssl_context()  # says which PEM file cannot be read
    try:
        found = Producer(client(settings)).list_topics(timeout=CONNECT_S)
    except KafkaException as error:
        raise UnreachableError(
            f"Kafka does not answer at {','.join(settings.kafka)}: start it, or set {PREFIX}KAFKA=host:port"
        ) from error
    if topic not in found.topics:
        raise no_topic(topic)
    return settings.kafka_embedded or found.cluster_id == CLUSTER_ID
