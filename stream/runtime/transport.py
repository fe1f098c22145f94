"""The Kafka transport, registered with Faust as `leadstream://`, and the store, as `part://`."""

from faust.fixups import FIXUPS
from faust.stores import STORES
from faust.transport.drivers import TRANSPORTS
from faust.transport.drivers import aiokafka as driver

from stream.runtime.checksums import check_fast
from stream.runtime.consumer import BatchConsumer
from stream.runtime.frames import read_frames
from stream.runtime.producer import BatchProducer


class Transport(driver.Transport):
    """Faust's aiokafka driver with our consumer and producer."""

    Consumer = BatchConsumer
    Producer = BatchProducer


def register() -> None:
    """Make `leadstream://` and `part://` known to Faust."""
    read_frames()
    check_fast()
    for known in (TRANSPORTS, STORES, FIXUPS):
        known.namespaces.clear()  # what other packages may offer is not asked for: a worker starts sooner
    TRANSPORTS.aliases["leadstream"] = f"{__name__}:Transport"
    STORES.aliases["part"] = "stream.runtime.partstore:PartStore"
