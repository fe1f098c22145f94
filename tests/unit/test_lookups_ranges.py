"""The ranges file: which lines count, which are refused, and what happens when the file changes."""

import logging
import os
from pathlib import Path

import pytest

from stream.domain.event import Company
from stream.lookups import BadLookupFile, Lookups
from stream.lookups.ranges import read_ranges
from stream.lookups.words import NAMES

RANGES = """\
network,name,domain,kind,industry,size
203.0.113.0/24,Acme,acme.example,,oil,5000
203.0.113.128/25,"Acme, Research",research.acme.example,education,,
203.0.113.200,Gate,,isp,,
2001:db8::/32,Six,six.example,Government,power,
2001:db8:1::/48,Six North,north.example,business
# a comment

198.51.100.0/24,,only-a-domain.example,business,,
"""

BAD_LINES = [
    ("no network", "acme,Acme,acme.example,business", "'acme' is no network"),
    ("host bits", "203.0.113.1/24,Acme,acme.example,business", "host bits"),
    ("a prefix too long", "203.0.113.0/33,Acme,acme.example,business", "no prefix length"),
    ("a prefix of another kind", "203.0.113.0/255.255.255.0,Acme,,business", "no prefix length"),
    ("an unknown kind", "203.0.113.0/24,Acme,acme.example,customer", "the kind 'customer' is none of business"),
    (
        "a URL for a domain",
        "203.0.113.0/24,Acme,https://acme.example/,",
        "'https://acme.example/' is no domain, such as acme.example",
    ),
    ("a name of half a record", f"203.0.113.0/24,{'x' * 120_000},,", "has 120,014 bytes, a line may have 4,096"),
    ("many long cells", "203.0.113.0/24,Acme,,," + ",".join(["y" * 100_000] * 12), "has 1,200,018 bytes, a line may have 4,096"),
    ("nobody", "203.0.113.0/24,,,business", "names nobody"),
    ("a comma without quotes", "203.0.113.0/24,Acme, Inc.,acme.example,business", "has 5 fields, the header 4"),
    ("an open quote", '203.0.113.0/24,"Acme,acme.example,business', "is no CSV line"),
    ("a mapped network that is too wide", "::ffff:0.0.0.0/95,Acme,,business", "no prefix length"),
]

BAD_HEADERS = [
    ("none at all", "203.0.113.0/24,Acme,acme.example,business", "the header lacks network, name, domain, kind"),
    ("a column less", "network,name,domain", "the header lacks kind"),
    ("a column twice", "network,name,domain,kind,size,size", "the column 'size' is there twice"),
    ("a column of ours", "network,name,domain,kind,confidence", "the column 'confidence' stands for something of ours"),
    ("a column of half a record", f"network,name,domain,kind,{'x' * 120_000}", "has 120,021 bytes, a line may have 4,096"),
    ("a nameless column", "network,name,domain,kind,", "the column '' has no name"),
]


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def opened(ranges: Path) -> Lookups:
    """Return look-ups with this file and word lists that say nothing: the shipped ones take a moment to read."""
    lists = ranges.parent / "lists"
    lists.mkdir(exist_ok=True)
    for name in NAMES:
        (lists / f"{name}.txt").touch()
    return Lookups(ranges=ranges, lists=lists)


@pytest.mark.parametrize(
    ("ip", "name", "kind", "network"),
    [
        ("203.0.113.1", "Acme", "business", "203.0.113.0/24"),
        ("203.0.113.128", "Acme, Research", "education", "203.0.113.128/25"),
        ("203.0.113.200", "Gate", "isp", "203.0.113.0/24"),
        ("203.0.113.201", "Acme, Research", "education", "203.0.113.128/25"),
        ("2001:db8:ffff::1", "Six", "government", "2001:db8::/32"),
        ("2001:db8:1::1", "Six North", "business", "2001:db8:1::/48"),
        ("198.51.100.9", "only-a-domain.example", "business", "198.51.100.0/24"),
    ],
)
def test_the_longest_prefix_answers(tmp_path: Path, ip: str, name: str, kind: str, network: str) -> None:
    lookups = opened(written(tmp_path / "ranges.csv", RANGES))
    company = lookups.company(ip)
    assert company is not None
    assert (company.name, company.kind, company.network) == (name, kind, network)
    assert (company.confidence, company.source) == (1.0, "ranges")


@pytest.mark.parametrize(
    ("line", "ip", "told"),
    [
        ("11.0.0.77/32", "11.0.0.77", "11.0.0.0/24"),
        ("11.0.0.77", "11.0.0.77", "11.0.0.0/24"),
        ("::ffff:11.0.0.76/127", "11.0.0.77", "11.0.0.76/31"),
        ("11.0.0.0/25", "11.0.0.77", "11.0.0.0/25"),
        ("11.0.0.0/24", "11.0.0.77", "11.0.0.0/24"),
        ("11.0.0.0/023", "11.0.0.77", "11.0.0.0/23"),
        ("2001:db8:1:2::7/128", "2001:db8:1:2::7", "2001:db8:1::/48"),
        ("2001:DB8:1:2::/64", "2001:db8:1:2::7", "2001:db8:1:2::/64"),
        ("2001:db8::/47", "2001:db8:1:2::7", "2001:db8::/47"),
    ],
)
def test_a_network_of_one_address_is_told_as_the_address_is_cut(tmp_path: Path, line: str, ip: str, told: str) -> None:
    """A line of one address is a visitor's own: the header, rows and answers would store it."""
    company = opened(written(tmp_path / "ranges.csv", f"network,name,domain,kind\n{line},CEO,,\n")).company(ip)
    assert company is not None
    assert (company.name, company.network) == ("CEO", told)


@pytest.mark.parametrize("ip", ["203.0.112.255", "203.0.114.0", "2001:db7::1", "2001:db9::", "192.0.2.1", "nonsense"])
def test_an_address_outside_all_ranges_has_no_company(tmp_path: Path, ip: str) -> None:
    assert opened(written(tmp_path / "ranges.csv", RANGES)).company(ip) is None


def test_further_columns_are_kept_where_they_say_something(tmp_path: Path) -> None:
    company = opened(written(tmp_path / "ranges.csv", RANGES)).company("203.0.113.1")
    assert company == Company(
        "Acme", "acme.example", "business", 1.0, "ranges", "203.0.113.0/24", "", {"industry": "oil", "size": "5000"}
    )
    assert company.get("industry") == "oil"
    research = opened(tmp_path / "ranges.csv").company("203.0.113.128")
    assert research is not None
    assert research.get("industry") is None


def test_columns_may_come_in_any_order_with_a_byte_order_mark_and_crlf(tmp_path: Path) -> None:
    path = written(tmp_path / "r.csv", "\ufeffname, kind ,network,domain\r\nAcme,,203.0.113.0/24, acme.example \r\n")
    company = opened(path).company("203.0.113.1")
    assert company is not None
    assert (company.domain, company.kind) == ("acme.example", "business")


def test_a_domain_is_told_as_it_is_written(tmp_path: Path) -> None:
    lines = "network,name,domain,kind\n203.0.113.0/24,Acme,ACME.Example.,\n198.51.100.0/24,,BOLT.example,\n"
    lookups = opened(written(tmp_path / "r.csv", lines))
    found = [lookups.company(ip) for ip in ("203.0.113.1", "198.51.100.1")]
    assert [company and (company.name, company.domain) for company in found] == [
        ("Acme", "ACME.Example"),
        ("BOLT.example", "BOLT.example"),
    ]


def test_the_longest_line_is_a_company(tmp_path: Path) -> None:
    name = "Ä" * ((4_096 - len("203.0.113.0/24")) // 2)
    company = opened(written(tmp_path / "r.csv", f"network,name,domain,kind\n203.0.113.0/24,{name},,\n")).company("203.0.113.1")
    assert company is not None
    assert company.name == name


def test_of_two_lines_for_one_network_the_later_counts(tmp_path: Path) -> None:
    header = "network,name,domain,kind\n"
    path = written(tmp_path / "r.csv", header + "203.0.113.0/24,Old,,\n203.0.113.0/25,Part,,\n203.0.113.0/24,New,,\n")
    table = read_ranges(path)
    found = [table.find(bytes([203, 0, 113, host])) for host in (1, 129)]
    assert [company and company.name for company in found] == ["Part", "New"]


@pytest.mark.parametrize(("line", "what"), [case[1:] for case in BAD_LINES], ids=[case[0] for case in BAD_LINES])
def test_a_line_that_does_not_parse_is_named(tmp_path: Path, line: str, what: str) -> None:
    good = 'network,name,domain,kind\n198.51.100.0/24,"Two\nlines",,\n'
    path = written(tmp_path / "ranges.csv", good + line + "\n")
    with pytest.raises(BadLookupFile) as caught:
        opened(path)
    assert (caught.value.path, caught.value.line) == (str(path), 4)
    assert what in caught.value.what
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("header", "what"), [case[1:] for case in BAD_HEADERS], ids=[case[0] for case in BAD_HEADERS])
def test_a_header_that_does_not_do_is_refused(tmp_path: Path, header: str, what: str) -> None:
    with pytest.raises(BadLookupFile) as caught:
        opened(written(tmp_path / "ranges.csv", header + "\n203.0.113.0/24,Acme,acme.example,business\n"))
    assert caught.value.line == 1
    assert what in caught.value.what


def test_an_empty_file_lacks_its_header(tmp_path: Path) -> None:
    with pytest.raises(BadLookupFile, match="the header lacks network"):
        opened(written(tmp_path / "ranges.csv", ""))


def test_a_file_that_is_no_text_or_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "latin.csv").write_bytes(b"network,name,domain,kind\n203.0.113.0/24,Caf\xe9,,\n")
    with pytest.raises(BadLookupFile, match=r"latin.csv:2: is not UTF-8"):
        opened(tmp_path / "latin.csv")
    with pytest.raises(BadLookupFile, match="cannot be read"):
        opened(tmp_path / "nowhere.csv")


class TestReload:
    """The file changes while a worker runs."""

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return written(tmp_path / "ranges.csv", RANGES)

    @pytest.fixture
    def lookups(self, path: Path) -> Lookups:
        return opened(path)

    def name(self, lookups: Lookups) -> str | None:
        company = lookups.company("203.0.113.1")
        return company.name if company is not None else None

    def change(self, path: Path, text: str) -> None:
        seen = path.stat().st_mtime_ns if path.exists() else 0
        written(path, text)
        os.utime(path, ns=(seen + 1, seen + 1))

    def test_a_changed_file_is_read_again(self, path: Path, lookups: Lookups) -> None:
        self.change(path, RANGES.replace("Acme,", "Bcme,"))
        assert lookups.reload()
        assert self.name(lookups) == "Bcme"

    def test_an_unchanged_file_is_not(self, lookups: Lookups) -> None:
        assert not lookups.reload()

    @pytest.mark.parametrize("text", [RANGES + "nonsense,X,,\n", "", "network\n"])
    def test_a_bad_one_leaves_the_old_table_and_one_line_in_the_log(
        self, path: Path, lookups: Lookups, text: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        self.change(path, text)
        assert not lookups.reload()
        assert not lookups.reload()
        assert self.name(lookups) == "Acme"
        errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
        assert len(errors) == 1
        assert errors[0].startswith(f"The old ranges stay in force: {path}:")

    def test_a_good_one_after_a_bad_one_counts(self, path: Path, lookups: Lookups) -> None:
        self.change(path, "nonsense")
        lookups.reload()
        self.change(path, RANGES.replace("Acme,", "Bcme,"))
        assert lookups.reload()
        assert self.name(lookups) == "Bcme"

    def test_a_file_that_went_away_leaves_the_old_table_until_it_is_back(self, path: Path, lookups: Lookups) -> None:
        path.unlink()
        assert not lookups.reload()
        assert self.name(lookups) == "Acme"
        self.change(path, RANGES.replace("Acme,", "Bcme,"))
        assert lookups.reload()
        assert self.name(lookups) == "Bcme"

    def test_without_a_file_there_is_nothing_to_reload(self) -> None:
        assert not Lookups().reload()


def test_a_line_that_is_commented_out_need_be_no_csv(tmp_path: Path) -> None:
    lines = (
        "network,name,domain,kind",
        '#203.0.113.0/28,"Acme" Inc,acme.example,business',
        '203.0.113.0/24,"Two',
        '#lines",,',
        "x",
    )
    with pytest.raises(BadLookupFile, match=r"ranges.csv:5: ") as caught:
        opened(written(tmp_path / "ranges.csv", "\n".join(lines)))
    assert "'x'" in str(caught.value)
