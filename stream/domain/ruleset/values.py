"""Where in an event the keys of a `match` table find their values."""

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any

from stream.domain.event import Company, Event

Reader = Callable[[Event], Any]


def reader(key: str) -> Reader:
    """Return a function that reads the value of a key from an event; None: absent."""
    first, _, name = key.partition(".")
    if not name:
        return attrgetter(first)
    if first == "company":
        return lambda event: company_value(event.company, name)
    mapping = attrgetter(first)
    if first == "properties" and "." not in name:
        return lambda event: event.properties.get(name)  # what nearly every event is asked for
    if "." not in name or first == "traits":
        return lambda event: mapping(event).get(name)
    return lambda event: value_at(mapping(event), name)


def company_value(company: Company | None, name: str) -> Any:
    """Return `company.NAME`; `known` is false without a company, all else absent."""
    if name == "known":
        return company is not None
    return None if company is None else company.get(name)


def value_at(values: Mapping[str, Any], path: str) -> Any:
    """Return the value at a dotted path, whether it is nested or written as one key.

    >>> value_at({"product": {"price": 5}, "a.b": 1}, "product.price"), value_at({"a.b": 1}, "a.b")
    (5, 1)
    """
    value: Any = values
    for part in path.split("."):
        if not isinstance(value, dict) or part not in value:
            return values.get(path)
        value = value[part]
    return value
