"""Traits by leaf path: `{"company": {"industry": "oil"}}` is `company.industry`."""

from collections.abc import Iterator, Mapping
from typing import Any


def flatten(*sources: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the leaves of all sources by dotted path; per path the first source that has it counts.

    A list is a leaf; so is null, which deletes.

    >>> flatten({"company": {"size": 40, "tags": ["a"]}}, {"company": {"size": 1, "name": None}})
    {'company.size': 40, 'company.name': None, 'company.tags': ['a']}
    """
    leaves: dict[str, Any] = {}
    for source in reversed(sources):
        if source:
            leaves.update(_leaves(source, ""))
    return leaves


def _leaves(source: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in source.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
