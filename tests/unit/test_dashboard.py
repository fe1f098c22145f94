"""The dashboard against Grafana's own model of one: every member known there, of its type, and none lost on the way."""

import types
import typing
from enum import Enum
from typing import Any

import pytest

from deploy.dashboards import WIDTH, dashboard

MADE = dashboard()


@pytest.fixture(scope="module")
def model() -> Any:
    pytest.importorskip("grafana_foundation_sdk", reason="Grafana's models are not installed: make install, then the lock of dev")
    from grafana_foundation_sdk.cog import plugins  # noqa: PLC0415
    from grafana_foundation_sdk.models.dashboard import Dashboard  # noqa: PLC0415

    plugins.register_default_plugins()
    return Dashboard.from_json(MADE)


def written(value: Any) -> Any:
    """Return what Grafana's models would write."""
    if hasattr(value, "to_json"):
        return written(value.to_json())
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, dict):
        return {key: written(part) for key, part in value.items()}
    return [written(part) for part in value] if isinstance(value, list) else value


def missing(ours: Any, theirs: Any, at: str = "$") -> list[str]:
    """Name what we write and they do not: members that Grafana does not know, or would read otherwise."""
    if isinstance(ours, dict):
        if not isinstance(theirs, dict):
            return [at]
        return [line for key, part in ours.items() for line in missing(part, theirs.get(key), f"{at}.{key}")]
    if isinstance(ours, list):
        if not isinstance(theirs, list) or len(ours) != len(theirs):
            return [at]
        return [line for n, part in enumerate(ours) for line in missing(part, theirs[n], f"{at}[{n}]")]
    return [] if ours == theirs else [f"{at}: {ours!r} is {theirs!r}"]


def misfits(value: Any, at: str = "$") -> list[str]:
    """Name the members whose value is not of the type that Grafana's model declares."""
    if isinstance(value, list):
        return [line for n, part in enumerate(value) for line in misfits(part, f"{at}[{n}]")]
    if not hasattr(value, "to_json") or isinstance(value, Enum):
        return []
    lines = []
    hints = typing.get_type_hints(type(value))
    for name, part in vars(value).items():
        if name in hints and not fits(part, hints[name]):
            lines.append(f"{at}.{name}: {part!r} is no {hints[name]}")
        lines += misfits(part, f"{at}.{name}")
    return lines


def fits(value: Any, hint: Any) -> bool:
    """Tell whether a value is of a type; Grafana's models leave enumerated values as they are written."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if value is None or hint in {Any, object}:
        return True
    if origin in {typing.Union, types.UnionType}:
        return any(fits(value, one) for one in arguments)
    if origin in {list, dict}:
        parts = value.values() if isinstance(value, dict) else value
        return isinstance(value, origin) and all(fits(part, arguments[-1]) for part in parts)
    if origin is typing.Literal or (isinstance(hint, type) and issubclass(hint, Enum)):
        return value in (arguments or [one.value for one in hint])
    return not isinstance(hint, type) or isinstance(value, (int, float) if hint is float else hint)


def test_grafana_knows_every_member_and_loses_none(model: Any) -> None:
    assert missing(MADE, written(model)) == []


def test_every_member_is_of_grafanas_type(model: Any) -> None:
    assert misfits(model) == []


@pytest.mark.parametrize("spoil", [{"panels": 7}, {"timezone": 3}, {"graphTooltip": "much"}, {"nonsense": 1}])
def test_what_grafana_would_not_read_is_noticed(model: Any, spoil: dict[str, Any]) -> None:
    spoilt = MADE | spoil
    try:
        read = type(model).from_json(spoilt)
    except (TypeError, AttributeError, ValueError):
        return
    assert missing(spoilt, written(read)) or misfits(read)


def test_panels_have_numbers_of_their_own_and_do_not_overlap() -> None:
    numbers = [panel["id"] for panel in MADE["panels"]]
    assert len(set(numbers)) == len(numbers)
    cells: set[tuple[int, int]] = set()
    for panel in MADE["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= WIDTH
        own = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not own & cells, panel["title"]
        cells |= own
