from aiokafka.partitioner import murmur2 as of_aiokafka
from hypothesis import example, given
from hypothesis import strategies as st

from stream.runtime.murmur import murmur2


@given(st.binary(max_size=600))
@example(b"")
@example(b"\xff" * 7)
def test_a_key_goes_where_other_clients_send_it(key: bytes) -> None:
    assert murmur2(key) == of_aiokafka(key) & 0xFFFFFFFF
