"""Look-ups against a brute-force oracle, and their speed: `python benchmarks/lookups.py [--probes N] [--mmdb FILE]…`.

Networks and probes are random but nest, touch and repeat as real ones do. The oracle is a dictionary of all networks of
one prefix length each, searched from the longest: slow, and nothing like the table it judges.
"""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import TypeVar

from stream.lookups import Lookups
from stream.lookups.networks import cidr
from stream.lookups.words import NAMES

T = TypeVar("T")

SEED = 20_261_125


def main() -> int:
    options = _options()
    rng = random.Random(SEED)  # noqa: S311 - a benchmark repeats itself
    with tempfile.TemporaryDirectory() as folder:
        lists = _lists_that_say_nothing(Path(folder))
        networks = _networks(rng, options.networks)
        probes = _probes(rng, networks, options.probes)
        lookups, seconds = _timed(lambda: Lookups(ranges=_ranges_file(Path(folder), networks), lists=lists))
        print(f"{len(networks):,} networks read in {seconds:.1f} s")
        mismatches = _compare(lookups, networks, probes)
        _speed("ranges, each address once", lookups, probes)
        if options.mmdb:
            databases = Lookups(mmdb=options.mmdb, lists=lists)
            _speed("MaxMind, each address once", databases, probes)
            few = probes[:1_000]
            _speed("MaxMind, addresses that come again", databases, few * max(1, len(probes) // len(few)))
    return 1 if mismatches else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Judge and time look-ups.")
    parser.add_argument("--networks", type=int, default=100_000)
    parser.add_argument("--probes", type=int, default=1_000_000)
    parser.add_argument("--mmdb", type=Path, action="append", default=[])
    return parser.parse_args()


def _networks(rng: random.Random, count: int) -> list[tuple[bytes, int]]:
    """Return packed addresses with prefix lengths: nine IPv4 to one IPv6, half of them inside an earlier one."""
    made: list[tuple[bytes, int]] = []
    while len(made) < count:
        size, shortest, longest = (4, 14, 32) if rng.random() < 0.9 else (16, 20, 64)
        address, prefix = rng.randbytes(size), rng.randint(shortest, longest)
        if made and rng.random() < 0.5:
            outer, outer_prefix = rng.choice(made)
            if len(outer) == size and outer_prefix < longest:
                prefix = rng.randint(outer_prefix + 1, longest)
                host_bits = (1 << (size * 8 - outer_prefix)) - 1
                address = (int.from_bytes(outer) & ~host_bits | int.from_bytes(address) & host_bits).to_bytes(size)
        made.append((address, prefix))
    return made


def _probes(rng: random.Random, networks: Sequence[tuple[bytes, int]], count: int) -> list[str]:
    """Return addresses as text: half anywhere, half at or beside the edges of networks."""
    probes: list[str] = []
    while len(probes) < count:
        if rng.random() < 0.5:
            packed = rng.randbytes(4 if rng.random() < 0.9 else 16)
        else:
            address, prefix = rng.choice(networks)
            bits = len(address) * 8
            host_bits = (1 << (bits - prefix)) - 1
            first = int.from_bytes(address) & ~host_bits
            value = rng.choice(
                (first - 1, first, first | host_bits, (first | host_bits) + 1, first | rng.getrandbits(bits) & host_bits)
            )
            packed = (value % (1 << bits)).to_bytes(len(address))
        if not packed.startswith(b"\0" * 10 + b"\xff\xff"):
            probes.append(str(IPv4Address(packed) if len(packed) == 4 else IPv6Address(packed)))
    return probes


def _ranges_file(folder: Path, networks: Sequence[tuple[bytes, int]]) -> Path:
    path = folder / "ranges.csv"
    with path.open("w", encoding="utf-8") as file:
        file.write("network,name,domain,kind\n")
        file.writelines(f"{cidr(address, prefix)},{number},,\n" for number, (address, prefix) in enumerate(networks))
    return path


def _lists_that_say_nothing(folder: Path) -> Path:
    lists = folder / "lists"
    lists.mkdir()
    for name in NAMES:
        (lists / f"{name}.txt").touch()
    return lists


def _compare(lookups: Lookups, networks: Sequence[tuple[bytes, int]], probes: Sequence[str]) -> int:
    by_prefix: dict[tuple[int, int], dict[int, str]] = {}
    for number, (address, prefix) in enumerate(networks):
        bits = len(address) * 8
        by_prefix.setdefault((bits, prefix), {})[int.from_bytes(address) >> (bits - prefix)] = str(number)

    def narrowest(text: str) -> str | None:
        address = IPv6Address(text) if ":" in text else IPv4Address(text)
        bits, value = address.max_prefixlen, int(address)
        found = (by_prefix.get((bits, prefix), {}).get(value >> (bits - prefix)) for prefix in range(bits, -1, -1))
        return next((name for name in found if name is not None), None)

    mismatches = hits = 0
    for text in probes:
        company = lookups.company(text)
        name = company.name if company is not None else None
        hits += name is not None
        mismatches += name != narrowest(text)
    print(f"{len(probes):,} probes against the oracle: {mismatches} mismatches, {hits:,} in some network")
    return mismatches


def _speed(what: str, lookups: Lookups, probes: Sequence[str]) -> None:
    """Print the best of three rounds, in processor time: what the code costs, not what else the machine does."""
    company = lookups.company

    def round_of_all() -> None:
        for text in probes:
            company(text)

    seconds = min(_timed(round_of_all)[1] for _ in range(3))
    print(f"{what}: {len(probes) / seconds:,.0f} look-ups a second and core")


def _timed(call: Callable[[], T]) -> tuple[T, float]:
    started = time.process_time()
    return call(), time.process_time() - started


if __name__ == "__main__":
    sys.exit(main())
