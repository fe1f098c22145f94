"""The Kafka transport, registered with Faust as `leadstream://`, and the store, as `part://`."""

import faust.stores
from faust.transport.drivers import TRANSPORTS
from faust.transport.drivers import aiokafka as driver

from stream.runtime.consumer import BatchConsumer
from stream.runtime.producer import BatchProducer


class Transport(driver.Transport):
    """Faust's aiokafka driver with our consumer and producer."""

    Consumer = BatchConsumer
    Producer = BatchProducer


def register() -> None:
    """Make `leadstream://` and `part://` known to Faust."""
    TRANSPORTS._maybe_finalize()
    TRANSPORTS.aliases["leadstream"] = f"{__name__}:Transport"
    faust.stores.STORES._maybe_finalize()
    faust.stores.STORES.aliases["part"] = "stream.runtime.partstore:PartStore"
