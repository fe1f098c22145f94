"""The flattened table against a search through all networks."""

from ipaddress import ip_address, ip_network

from hypothesis import given
from hypothesis import strategies as st

from stream.lookups.addresses import pack
from stream.lookups.memo import NetworkMemo
from stream.lookups.networks import NetworkTable, Span, cidr, parse_network, span_of

# Few bits set, so that networks nest, touch and repeat, and addresses meet their edges.
_OFFSETS = st.sampled_from([0, 1, 2, 127, 128, 255, 256, 65_535, 65_536, 1 << 24, (1 << 31) - 1, 1 << 31, (1 << 32) - 1])
_V4 = st.builds(lambda at: at.to_bytes(4), _OFFSETS)
_V6 = st.builds(lambda high, low: ((high << 96) + low).to_bytes(16), _OFFSETS, _OFFSETS)
_ADDRESSES = st.one_of(_V4, _V6)


@st.composite
def networks(draw: st.DrawFn) -> str:
    packed = draw(_ADDRESSES)
    return cidr(packed, draw(st.integers(0, len(packed) * 8)))


def narrowest(texts: list[str], packed: bytes) -> str | None:
    """Return the narrowest network around an address, of equal ones the last; the slow way."""
    address = ip_address(packed)
    around = [(ip_network(text).prefixlen, at, text) for at, text in enumerate(texts) if address in ip_network(text)]
    return max(around)[2] if around else None


def table(texts: list[str]) -> NetworkTable[tuple[int, str]]:
    return NetworkTable(Span(*parse_network(text), (at, text)) for at, text in enumerate(texts))


@given(st.lists(networks(), max_size=12), st.lists(_ADDRESSES, min_size=1, max_size=20))
def test_the_narrowest_network_wins(texts: list[str], probes: list[bytes]) -> None:
    built = table(texts)
    edges = [edge for text in texts for edge in parse_network(text)]
    for packed in [*probes, *edges]:
        found = built.find(packed)
        assert (found and found[1]) == narrowest(texts, packed)
        if found is not None:
            assert found[0] == max(at for at, text in enumerate(texts) if text == found[1])


@given(st.lists(networks(), max_size=8), st.lists(networks(), max_size=8), st.lists(_ADDRESSES, min_size=1, max_size=20))
def test_an_overlay_joins_what_both_say_and_adds_nothing(mine: list[str], over: list[str], probes: list[bytes]) -> None:
    base, other = table(mine), table(over)
    joined = base.overlaid(other, lambda value, above: (value[0] + 100 * (above[0] + 1), value[1]))
    for packed in [*probes, *(edge for text in (*mine, *over) for edge in parse_network(text))]:
        value, above = base.find(packed), other.find(packed)
        expected = value if value is None or above is None else (value[0] + 100 * (above[0] + 1), value[1])
        assert joined.find(packed) == expected


@given(st.lists(networks(), max_size=8), _ADDRESSES)
def test_a_span_is_where_the_same_is_said(texts: list[str], packed: bytes) -> None:
    built = table(texts)
    first, last = built.span(packed)
    assert first <= packed <= last
    assert built.find(first) == built.find(packed) == built.find(last)


@given(st.lists(st.tuples(_ADDRESSES, st.integers(0, 128)), max_size=30))
def test_a_memo_answers_for_the_networks_it_was_told_and_no_other(asked: list[tuple[bytes, int]]) -> None:
    memo: NetworkMemo[tuple[bytes, bytes]] = NetworkMemo(size=5)
    told: list[tuple[bytes, bytes]] = []
    for packed, wish in asked:
        prefix = min(wish, len(packed) * 8)
        network = span_of(packed, prefix)
        held = memo.get(packed)
        assert held is None or held[0] <= packed <= held[1]
        # As the leaves of a tree do, the networks it is told never overlap.
        if all(len(first) != len(packed) or last < network[0] or network[1] < first for first, last in told):
            told.append(network)
            memo.put(packed, prefix, network)
            assert memo.get(packed) == network


def test_a_network_of_mapped_addresses_is_one_of_ipv4() -> None:
    assert parse_network("::ffff:203.0.113.0/120") == parse_network("203.0.113.0/24")
    assert pack("203.0.113.0") == parse_network("203.0.113.0")[0]
