"""Consent: which events go on, by key, browser and what the page's tool was told."""

from typing import Any

import pytest

from stream.collector.consent import withheld
from stream.collector.write_keys import WriteKey

REQUIRED = WriteKey("a", consent="required")
ASSUMED = WriteKey("b")
IGNORED = WriteKey("c", consent="ignored")


def segment(**preferences: object) -> dict[str, Any]:
    return {"consent": {"categoryPreferences": preferences}}


def rudder(allowed: object, denied: object) -> dict[str, Any]:
    return {"consentManagement": {"provider": "oneTrust", "allowedConsentIds": allowed, "deniedConsentIds": denied}}


@pytest.mark.parametrize(
    ("context", "required", "assumed"),
    [
        pytest.param(None, "not_given", None, id="nothing is told"),
        pytest.param({}, "not_given", None, id="an empty context"),
        pytest.param(segment(Analytics=True), None, None, id="Segment: given"),
        pytest.param(segment(Analytics=False, Advertising=True), "denied", "denied", id="Segment: refused"),
        pytest.param(segment(Advertising=True), None, None, id="another purpose, alone"),
        pytest.param(segment(Advertising=False), "denied", "denied", id="another purpose, refused"),
        pytest.param(segment(Advertising=False, Functional=True), "not_given", None, id="others that do not agree"),
        pytest.param(segment(Analytics=True, Performance=False), "denied", "denied", id="one of ours refused decides"),
        pytest.param(segment(), "not_given", None, id="no preference"),
        pytest.param(segment(Analytics="maybe", Other=1), "not_given", None, id="no answer at all"),
        pytest.param(rudder(["C0002"], ["C0003"]), None, None, id="RudderStack: given"),
        pytest.param(rudder(["C0001"], ["C0002"]), "denied", "denied", id="RudderStack: refused"),
        pytest.param(rudder([], []), "not_given", None, id="RudderStack: nothing chosen"),
        pytest.param(rudder("C0002", None), "not_given", None, id="no lists"),
        pytest.param({"consent": True}, None, None, id="a plain yes"),
        pytest.param({"consent": "denied"}, "denied", "denied", id="a plain no"),
        pytest.param({"consent": {"analytics_storage": "granted", "ad_storage": "denied"}}, None, None, id="Google's words"),
        pytest.param({**segment(Analytics=False), **rudder(["analytics"], [])}, "denied", "denied", id="refused, then given"),
        pytest.param({**segment(Analytics=True), **rudder([], ["analytics"])}, "denied", "denied", id="given, then refused"),
        pytest.param({**segment(Analytics=True), **rudder(["analytics"], [])}, None, None, id="given twice"),
        pytest.param(segment(Analytics=False, analytics=True), "denied", "denied", id="refused and given by its letters"),
        pytest.param(rudder(["C0002"], ["c0002"]), "denied", "denied", id="RudderStack: in both lists"),
        pytest.param({"consent": False, **rudder(["C0002"], [])}, "denied", "denied", id="a plain no, then given"),
        pytest.param({"consent": True, **rudder(["C0002"], [])}, None, None, id="a plain yes, then given"),
        pytest.param({"consent": [1]}, "not_given", None, id="a list"),
        pytest.param("text", "not_given", None, id="a context that is none"),
    ],
)
def test_what_the_visitor_said_decides(context: object, required: str | None, assumed: str | None) -> None:
    event = {"type": "page"} if context is None else {"type": "page", "context": context}
    assert withheld(REQUIRED, event, {}) == required
    assert withheld(ASSUMED, event, {}) == assumed
    assert withheld(IGNORED, event, {}) is None


@pytest.mark.parametrize(("header", "why"), [(b"sec-gpc", "gpc"), (b"dnt", "dnt")])
def test_a_browser_that_refuses_is_believed_before_its_page(header: bytes, why: str) -> None:
    event = {"type": "page", "context": segment(Analytics=True)}
    assert withheld(ASSUMED, event, {header: b"1"}) == why
    assert withheld(REQUIRED, event, {header: b"1"}) == why
    assert withheld(IGNORED, event, {header: b"1"}) is None
    assert withheld(ASSUMED, event, {header: b"0"}) is None


def test_a_key_may_name_its_own_purposes() -> None:
    key = WriteKey("d", consent="required", purposes=frozenset({"scoring"}))
    assert withheld(key, {"context": segment(Scoring=True, Analytics=False)}, {}) is None
    assert withheld(key, {"context": segment(Scoring=False, Analytics=True)}, {}) == "denied"
