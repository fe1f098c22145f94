"""The brokers themselves: what the other tests stand on."""

from confluent_kafka.admin import AdminClient, NewTopic

from tests.brokers import Installation


def test_what_is_produced_is_read_back_in_order_with_headers_and_times(installation: Installation) -> None:
    admin = AdminClient({"bootstrap.servers": installation.broker.address})
    admin.create_topics([NewTopic(installation.topic("events"), 2, 1)])[installation.topic("events")].result(30)

    installation.produce("events", [(b"k", b"%d" % n) for n in range(1000)], headers={"h": b"x"}, timestamp_ms=1_234_567_890_123)
    records = installation.read("events")

    assert [record.value for record in records] == [b"%d" % n for n in range(1000)]
    assert {(record.key, record.timestamp_ms, record.headers["h"]) for record in records} == {(b"k", 1_234_567_890_123, b"x")}
    assert len({record.partition for record in records}) == 1
