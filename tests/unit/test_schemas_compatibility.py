"""What counts as an addition, and what as a break."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.compatibility import WIDENED, breaks

TEXT = {"type": "string"}
NULL = {"type": "null"}


def thing(*required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(thing("a", a=TEXT), thing("a", a=TEXT), id="nothing changed"),
        pytest.param(thing("a", a=TEXT), thing("a", a=TEXT, b=TEXT), id="an optional member more"),
        pytest.param(thing("a", a=TEXT), thing(a=TEXT), id="a member that may be missing now"),
        pytest.param(thing(a=TEXT), thing(a={"anyOf": [TEXT, NULL]}), id="null is allowed now"),
        pytest.param({"enum": ["x"]}, {"enum": ["x", "y"]}, id="a word more"),
        pytest.param({"enum": ["x"]}, {}, id="any word"),
        pytest.param({**TEXT, "maxLength": 5}, TEXT, id="a limit less"),
        pytest.param(TEXT, {**TEXT, "description": "said better"}, id="a description"),
        pytest.param({"$ref": "#/$defs/A", "$defs": {"A": TEXT}}, TEXT, id="a definition moved"),
        pytest.param({"oneOf": [TEXT]}, {"oneOf": [NULL, TEXT]}, id="a choice more"),
        pytest.param({"additionalProperties": False}, {}, id="opened"),
        *(pytest.param({"pattern": was}, {"pattern": now}, id=f"{now} for {was}") for now, was in WIDENED.items()),
    ],
)
def test_additions_pass(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert breaks(old, new) == []


@given(data=st.data())
def test_a_pattern_that_is_called_wider_is(data: st.DataObject) -> None:
    now, was = data.draw(st.sampled_from(sorted(WIDENED.items())))
    text = data.draw(st.from_regex(was))
    assert re.search(now, text), text


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        pytest.param(thing(a=TEXT), thing(), "$.a: is gone", id="a member less"),
        pytest.param(thing(a=TEXT), thing("a", a=TEXT), "$.a: is required now", id="a member must be there"),
        pytest.param(thing(a=TEXT), thing(a=NULL), "$.a: type was 'string', is 'null'", id="another type"),
        pytest.param({"enum": ["x", "y"]}, {"enum": ["x"]}, "$: 'y' is no longer allowed", id="a word less"),
        pytest.param(TEXT, {"enum": ["x"]}, "$: only ['x'] are allowed now", id="certain words only"),
        pytest.param(TEXT, {**TEXT, "maxLength": 5}, "$: maxLength was None, is 5", id="a limit"),
        pytest.param({"items": TEXT}, {"items": NULL}, "$[]: type was 'string', is 'null'", id="other items"),
        pytest.param({"anyOf": [TEXT, NULL]}, {"anyOf": [TEXT]}, "$: type was 'null', is 'string'", id="a choice less"),
        *(
            pytest.param({"pattern": now}, {"pattern": was}, f"$: pattern was {now!r}, is {was!r}", id=f"{was} for {now}")
            for now, was in WIDENED.items()
        ),
        pytest.param({}, {"additionalProperties": False}, "$: additionalProperties are closed now", id="closed"),
        pytest.param(
            {"$ref": "#/$defs/A", "$defs": {"A": TEXT}},
            {"$ref": "#/$defs/A", "$defs": {"A": NULL}},
            "$: type was 'string', is 'null'",
            id="behind a reference",
        ),
    ],
)
def test_anything_else_is_told(old: dict[str, Any], new: dict[str, Any], line: str) -> None:
    assert line in breaks(old, new)
