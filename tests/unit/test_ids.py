"""Which ids exist, how they are written, and what class they are."""

import pytest

from stream.domain import ids


@pytest.mark.parametrize(
    ("node", "parts"),
    [
        ("anon::9f2c", ("anon", "", "9f2c")),
        ("wechat_openid:wx1:oX", ("wechat_openid", "wx1", "oX")),
        ("anon::a:b:c", ("anon", "", "a:b:c")),
        ("email::buyer@acme.example", ("email", "", "buyer@acme.example")),
        ("anon:: x", ("anon", "", " x")),
    ],
)
def test_a_node_is_split_at_its_first_two_colons(node: str, parts: tuple[str, str, str]) -> None:
    assert ids.parse(node) == parts
    assert ids.kind_of(node) == parts[0]
    assert ids.value_of(node) == parts[2]
    assert ids.node_of(parts[0], parts[2], parts[1]) == node


@pytest.mark.parametrize("text", ["", "9f2c", "anon:9f2c", "anon::", "::x", ":s:x", "lead_0687587883fab020"])
def test_what_is_no_node_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="kind:scope:value"):
        ids.parse(text)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("user", "A"),
        ("crm", "A"),
        ("wechat_unionid", "A"),
        ("email", "B"),
        ("phone", "B"),
        ("anon", "C"),
        ("wechat_openid", "C"),
        ("weibo", "C"),
        ("anything_else", "C"),
        ("lead", "lead"),
    ],
)
def test_classes(kind: str, expected: str) -> None:
    assert ids.class_of(kind) == expected
    assert ids.is_identifying(f"{kind}::x") == (expected in "AB")


def test_typed_addresses_may_be_weak() -> None:
    assert ids.class_of("email", "C") == "C"
    assert ids.class_of("phone", "C") == "B"
    assert not ids.is_identifying("email::a@b", "C")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (" 9f2c\t", "9f2c"),
        ("Ümläut", "Ümläut"),
        ("a b", "a b"),
        (42, "42"),
        (-7, "-7"),
        (2**64 - 1, "18446744073709551615"),
        (-(2**63), "-9223372036854775808"),
        (42.0, "42"),
        (1.5, "1.5"),
        (0.1 + 0.2, "0.30000000000000004"),
        (1e20, "100000000000000000000"),
        (1.2345678901234568e20, "123456789012345680000"),
        (1e21, "1e+21"),
        (-1.5e300, "-1.5e+300"),
        (0.000001, "0.000001"),
        (1e-7, "1e-7"),
        (1.25e-7, "1.25e-7"),
        (5e-324, "5e-324"),
        (123456.789, "123456.789"),
        ("x" * 512, "x" * 512),
        ("ü" * 256, "ü" * 256),
        ("0x0", "0x0"),
        ("-10", "-10"),
        ("nullable", "nullable"),
    ],
)
def test_an_id_is_trimmed_and_numbers_are_written_as_javascript_does(value: object, expected: str) -> None:
    assert ids.id_of(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        *sorted(ids.JUNK),
        *(f'"{junk}"' for junk in sorted(ids.JUNK)),
        *(f" '{junk.upper()}' " for junk in sorted(ids.JUNK)),
        "   ",
        '" null "',
        "[object Object]",
        "0000",
        "---",
        "00000000-0000-0000-0000-000000000000",
        '"0-0"',
        0,
        -1,
        0.0,
        -0.0,
        -1.0,
        True,
        False,
        None,
        [],
        {},
        float("nan"),
        float("inf"),
        "x" * 513,
        "ü" * 257,
    ],
)
def test_junk_does_not_exist(value: object) -> None:
    assert ids.id_of(value) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (" Buyer@ACME.Example ", "buyer@acme.example"),
        ("a@b", "a@b"),
        ("a@", None),
        ("@b", None),
        ("@", None),
        ("a@b@c", None),
        ("a b@c", None),
        ("a@b c", None),
        ("a@\u00a0b", None),
        ("buyer", None),
        ("", None),
        (5, None),
        (None, None),
        (f"{'a' * 511}@b", None),
    ],
)
def test_an_address_has_one_at_between_two_texts_without_spaces(value: object, expected: str | None) -> None:
    assert ids.email_of(value) == expected


def test_a_lead_id_is_a_hash_of_the_first_identity() -> None:
    assert ids.lead_id("user::42") == "lead_0687587883fab020"


def test_a_lone_surrogate_in_a_mapping_is_counted_not_raised() -> None:
    assert ids.id_of("\ud800" * 170) == "\ud800" * 170
    assert ids.id_of("\ud800" * 171) is None
