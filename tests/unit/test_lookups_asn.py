"""IP→ASN tables as text."""

from pathlib import Path

import pytest

from stream.domain.event import Company
from stream.lookups import BadLookupFile, Lookups
from stream.lookups.words import NAMES

CSV = """\
1.0.0.0,1.0.0.255,13335,"Cloudflare, Inc."
1.0.4.0,1.0.5.127,38803,Wirefreebroadband
2001:200::,2001:200:ffff:ffff:ffff:ffff:ffff:ffff,2500,WIDE
"""

TSV = """\
1.0.0.0\t1.0.0.255\t13335\tUS\tCloudflare, Inc.
1.0.1.0\t1.0.3.255\t0\tNone\tNot routed
1.0.4.0\t1.0.5.127\t38803\tAU\tWirefreebroadband
2001:200::\t2001:200:ffff:ffff:ffff:ffff:ffff:ffff\t2500\tJP\tWIDE
"""

BLOCKS = """\
network,autonomous_system_number,autonomous_system_organization
1.0.0.0/24,13335,"Cloudflare, Inc."
1.0.4.0/24,38803,Wirefreebroadband
1.0.5.0/25,38803,Wirefreebroadband
2001:200::/32,2500,WIDE
"""


@pytest.fixture
def lists(tmp_path: Path) -> Path:
    """Word lists that say nothing but what a test writes."""
    folder = tmp_path / "lists"
    folder.mkdir()
    for name in NAMES:
        (folder / f"{name}.txt").touch()
    return folder


@pytest.mark.parametrize(
    "text", [CSV, "start,end,asn,org\n" + CSV, TSV, BLOCKS], ids=["csv", "csv with header", "iptoasn", "blocks"]
)
def test_all_usual_forms_say_the_same(lists: Path, tmp_path: Path, text: str) -> None:
    (lists / "hosting-asns.txt").write_text("13335\n", encoding="utf-8")
    path = tmp_path / "asn.txt"
    path.write_text(text, encoding="utf-8")
    lookups = Lookups(asn=path, lists=lists)
    assert lookups.company("1.0.0.9") == Company("Cloudflare, Inc.", "", "hosting", 0.3, "asn", "1.0.0.0/24", "")
    assert lookups.company("1.0.4.9") == Company("Wirefreebroadband", "", "unknown", 0.3, "asn", "1.0.4.0/24", "")
    assert lookups.company("2001:200::1") == Company("WIDE", "", "unknown", 0.3, "asn", "2001:200::/32", "")
    assert [lookups.company(ip) for ip in ("1.0.1.9", "1.0.5.128", "0.255.255.255", "2001:201::")] == [None] * 4


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("nonsense", "is no line of an IP to ASN table"),
        ("1.0.0.9,1.0.0.1,1,Backwards", "is no line of an IP to ASN table"),
        ("1.0.0.0,2001::,1,Mixed", "is no line of an IP to ASN table"),
        ("1.0.0.0,1.0.0.255,one,Cloudflare", "'one' is no AS number"),
        (f"1.0.0.0,1.0.0.255,{'9' * 5000},Cloudflare", "is no AS number"),
        (f"1.0.0.0,1.0.0.255,13335,{'x' * 1_025}", "names a system by 1,025 characters, 1,024 are the most"),
        ("1.0.0.1/24,13335,Cloudflare", "has host bits"),
        ('1.0.0.0,1.0.0.255,13335,"Cloudflare', "is no CSV line"),
        ('1.0.0.0,1.0.0.255,13335,"' + "x" * 200_000, "is no CSV line"),
    ],
)
def test_a_line_that_does_not_parse_is_named(lists: Path, tmp_path: Path, line: str, what: str) -> None:
    path = tmp_path / "asn.csv"
    path.write_text(f"{CSV}{line}\n", encoding="utf-8")
    with pytest.raises(BadLookupFile, match=rf"asn.csv:4: .*{what}"):
        Lookups(asn=path, lists=lists)


def test_a_quote_is_a_letter_where_tabs_separate(lists: Path, tmp_path: Path) -> None:
    """iptoasn knows no quoting: one quote must not swallow the lines behind it."""
    path = tmp_path / "asn.tsv"
    lines = ('1.0.1.0\t1.0.1.255\t13336\tUS\t"Bar Ltd', "1.0.2.0\t1.0.2.255\t13337\tUS\tQUX", "", "# the end")
    path.write_text("\r\n".join(lines), encoding="utf-8")
    found = Lookups(asn=path, lists=lists)
    names = [company and company.name for company in map(found.company, ("1.0.1.9", "1.0.2.9"))]
    assert names == ['"Bar Ltd', "QUX"]
