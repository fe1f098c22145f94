"""Which texts are a company's domain."""

import pytest

from stream.lookups.domains import domain_of


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("acme.example", "acme.example"),
        ("ACME.Example", "ACME.Example"),
        (" acme.example. ", "acme.example"),
        ("www.acme-oil.co.uk", "www.acme-oil.co.uk"),
        ("4acme.example", "4acme.example"),
        ("xn--mller-kva.example", "xn--mller-kva.example"),
        ("Müller.example", "Müller.example"),
        ("Acme", "Acme"),
        ("उदाहरण.परीक्षा", "उदाहरण.परीक्षा"),
        ("中国移动.中国", "中国移动.中国"),
        ("a." * 125 + "com", "a." * 125 + "com"),
        *(
            (text, None)
            for text in (
                "", " ", ".", "acme..example", ".acme.example", "acme.example..", "https://acme.example/",
                "acme.example/x", "acme.example:443", "acme.example,bolt.example", "acme.example; bolt.example",
                "buyer@acme.example", "@acme.example", "acme example.com", "acme.example\n.com", "acme\u200b.example",
                "acme\u00a0.example", "*.acme.example", "203.0.113.7", "2001:db8::1", "a." * 126 + "com", "x" * 1_000_000,
            )
        ),
    ],
)  # fmt: skip
def test_a_domain_is_what_e_mail_addresses_end_with(text: str, domain: str | None) -> None:
    assert domain_of(text) == domain
