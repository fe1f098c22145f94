"""A telephone number as people type it: its E.164 form and its kind."""

from functools import lru_cache

_LONGEST = 250  # as libphonenumber


def parse(number: str, region: str | None = None) -> tuple[str | None, str]:
    """Return the number's E.164 form and its kind: `mobile`, `fixed` or `invalid` (then without a form).

    `region` (ISO 3166, `DE`) is the country of a number that names none; without it such a number is invalid.
    Where a numbering plan does not tell the two apart (`+1`), the number counts as mobile.

    >>> parse("+49 151 23456789")
    ('+4915123456789', 'mobile')
    >>> parse("030 901820", "DE")
    ('+4930901820', 'fixed')
    >>> parse("030 901820")
    (None, 'invalid')
    """
    return _parse(number, region) if len(number) <= _LONGEST else (None, "invalid")


@lru_cache(maxsize=16_384)
def _parse(number: str, region: str | None) -> tuple[str | None, str]:
    import phonenumbers  # noqa: PLC0415 - a tenth of a command's start, and few events carry a number

    try:
        parsed = phonenumbers.parse(number, region.upper() if region else None)
    except phonenumbers.NumberParseException:
        return None, "invalid"
    if not phonenumbers.is_valid_number(parsed):
        return None, "invalid"
    type_, types = phonenumbers.number_type(parsed), phonenumbers.PhoneNumberType
    kind = "mobile" if type_ in {types.MOBILE, types.FIXED_LINE_OR_MOBILE} else "fixed"
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164), kind
