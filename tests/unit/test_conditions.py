"""What a condition matches: texts are globs, numbers and booleans match their own kind."""

from typing import Any

import pytest

from stream.domain.conditions import Conditions, Scalar, Wanted
from stream.domain.globs import glob


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("shop.example/a", "shop.example/a", True),
        ("shop.example/a", "shop.example/ab", False),
        ("Trial Started", "trial started", True),
        ("*/products/*", "shop.example/products/crm/prices", True),
        ("*/products/*", "shop.example/products", True),
        ("*/products/*", "shop.example/productsheet", False),
        ("*/products/*", "/products/x", True),
        ("*/products/*", "products/x", False),
        ("/*", "", True),
        ("shop.example/*", "shop.example", True),
        ("*.pdf", "shop.example/a.pdf", True),
        ("*.pdf", "shop.example/a.pdf.html", False),
        ("*pricing*", "shop.example/pricing", True),
        ("shop.*", "shop.example", True),
        ("shop.*", "myshop.example", False),
        ("*", "", True),
        ("*", "anything\nat all", True),
        ("", "", True),
        ("", "a", False),
        ("**", "a", True),
        ("a?c", "abc", True),
        ("a?c", "ac", False),
        ("[ab]*", "bcd", True),
        ("[!ab]*", "bcd", False),
        ("*/a*/b*", "x/abc/bcd", True),
        ("*/a*/b*", "x/abc/cd", False),
        ("a.c", "abc", False),
        ("a[/*", "a[", True),
    ],
)
def test_a_glob_is_fnmatch_whose_star_crosses_slashes(pattern: str, text: str, *, matches: bool) -> None:
    assert glob(pattern)(text) is matches


ACCEPTS: list[tuple[str, list[Scalar], Any, bool]] = [
    ("text in any case", ["Free"], "FREE", True),
    ("any of several texts", ["free", "role"], "role", True),
    ("none of several texts", ["free", "role"], "business", False),
    ("a number by value", [5], 5.0, True),
    ("another number", [5], 5.1, False),
    ("a number is not a text that looks like it", ["5"], 5, False),
    ("a text that looks like a number is no number", [5], "5", False),
    ("true is not 1", [1], True, False),
    ("1 is not true", [True], 1, False),
    ("true is true", [True], True, True),
    ("false is not true", [True], False, False),
    ("false is false", [False], False, True),
    ("zero is not false", [False], 0, False),
    ("mixed kinds", ["a", 1, True], 1, True),
    ("null", ["*"], None, False),
    ("an object", ["*"], {"a": 1}, False),
    ("an empty list", ["*"], [], False),
    ("a list by any element", ["crm"], ["pricing", "CRM"], True),
    ("a list of numbers by any element", [3], [1, 2, 3], True),
    ("a list in a list", ["crm"], [["crm"]], True),
    ("a list of nulls", ["*"], [None], False),
]


@pytest.mark.parametrize(("name", "allowed", "value", "accepted"), ACCEPTS, ids=[row[0] for row in ACCEPTS])
def test_each_kind_matches_its_own_kind(name: str, allowed: list[Scalar], value: Any, *, accepted: bool) -> None:
    assert Wanted.any_of(allowed).accepts(value) is accepted, name


@pytest.mark.parametrize(
    ("low", "high", "value", "accepted"),
    [
        (5, None, 5, True),
        (5, None, 4.999, False),
        (None, 5, 5, True),
        (None, 5, 5.001, False),
        (1, 5, 3, True),
        (1, 5, [0, 3], True),
        (1, 5, [0, 9], False),
        (0, 5, True, False),
        (0, 5, "3", False),
        (0, 5, None, False),
    ],
)
def test_a_range_holds_its_ends_and_takes_numbers_only(
    low: float | None, high: float | None, value: Any, *, accepted: bool
) -> None:
    assert Wanted(low=low, high=high).accepts(value) is accepted


def test_every_key_must_hold() -> None:
    conditions = Conditions((("traits.title", Wanted.any_of(["*head*"])), ("email_kind", Wanted.any_of(["business"]))))

    assert conditions.holds({"traits.title": "Head of IT", "email_kind": "business"}.get)
    assert not conditions.holds({"traits.title": "Head of IT"}.get)


def test_no_conditions_hold_always() -> None:
    assert Conditions(()).holds(lambda _: None)
