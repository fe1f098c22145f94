"""Telephone numbers as people type them."""

import pytest

from schemas import phone


@pytest.mark.parametrize(
    ("number", "region", "expected"),
    [
        ("+49 151 23456789", None, ("+4915123456789", "mobile")),
        ("+86 138 0013 8000", None, ("+8613800138000", "mobile")),
        ("+49 (0)30 901820", None, ("+4930901820", "fixed")),
        ("+1 650 253 0000", None, ("+16502530000", "mobile")),
        ("030 901820", "DE", ("+4930901820", "fixed")),
        ("030 901820", "de", ("+4930901820", "fixed")),
        ("+49 30 901820", "US", ("+4930901820", "fixed")),
        ("030 901820", None, (None, "invalid")),
        ("030 901820", "XX", (None, "invalid")),
        ("+49 30 1", None, (None, "invalid")),
        ("+1 555 000 0000", None, (None, "invalid")),
        ("+999 123456", None, (None, "invalid")),
        ("call me", "DE", (None, "invalid")),
        ("", "DE", (None, "invalid")),
        ("+49" + "1" * 300, None, (None, "invalid")),
        ("+" + "9" * 100_000, None, (None, "invalid")),
    ],
)
def test_a_number_has_one_form_and_a_kind(number: str, region: str | None, expected: tuple[str | None, str]) -> None:
    assert phone.parse(number, region) == expected
