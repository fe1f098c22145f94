"""A company's domain, as the e-mail addresses of its people have it."""

import re

_LONGEST = 253
"""Characters, RFC 1035."""
_LETTER = "a-z_\u00a1-\U0010ffff"
_DOMAIN = re.compile(f"([0-9{_LETTER}-]+[.])*[{_LETTER}][0-9{_LETTER}-]*", re.IGNORECASE)


def domain_of(text: str) -> str | None:
    """Return a domain as it is written, in any script; None where it is none, such as a URL or an address.

    >>> domain_of(" ACME.Example. "), domain_of("https://acme.example/"), domain_of("203.0.113.7")
    ('ACME.Example', None, None)
    """
    domain = text.strip().removesuffix(".")
    if len(domain) > _LONGEST or _DOMAIN.fullmatch(domain) is None or not domain.isprintable():
        return None
    return domain
