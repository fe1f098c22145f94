"""What counts in the objective for events: what is received now, and not what a history says about when it was."""

from stream.agents.headers import HISTORY
from stream.runtime.producer import partition_of
from tests.app.test_agents import PARTITIONS, Bench, record, told

KEY = b"anon::c1"


async def test_an_event_counts_from_when_it_was_received() -> None:
    bench = Bench()
    bench.events(record(KEY, told(anonymousId="c1")))
    assert len(bench.visitors.table.open(partition_of(KEY, PARTITIONS)).received) == 1


async def test_a_history_that_is_loaded_burns_no_budget() -> None:
    bench = Bench()
    event = told(anonymousId="c1", receivedAt="2024-01-01T00:00:00Z")
    bench.events(record(KEY, event, (HISTORY, b"1")))
    assert bench.counted()["applied"] == 1
    assert bench.visitors.table.open(partition_of(KEY, PARTITIONS)).received == []
