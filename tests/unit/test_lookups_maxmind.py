"""MaxMind's own test databases: which answers, what they add to each other, what overrides a kind."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import maxminddb
import msgspec
import pytest

from stream.domain.event import Company
from stream.lookups import BadLookupFile, CorruptDatabase, Lookups
from stream.lookups.addresses import parse, render
from stream.lookups.words import NAMES

# Read at import: the tests themselves run without settings from outside.
SHARED = Path(os.environ.get("LEADSTREAM_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))
MAXMIND = SHARED / "maxmind"

with_databases = pytest.mark.skipif(
    not MAXMIND.is_dir(),
    reason=f"MaxMind's test databases are not in {MAXMIND} (LEADSTREAM_SHARED_DATA says where): no promise rests on them alone",
)

ENTERPRISE, ISP, DOMAIN, ASN, ANONYMOUS = (
    MAXMIND / f"{name}-Test.mmdb"
    for name in ("GeoIP2-Enterprise", "GeoIP2-ISP", "GeoIP2-Domain", "GeoLite2-ASN", "GeoIP2-Anonymous-IP")
)


@pytest.fixture
def lists(tmp_path: Path) -> Path:
    """Word lists that say nothing but what a test writes."""
    folder = tmp_path / "lists"
    folder.mkdir()
    for name in NAMES:
        (folder / f"{name}.txt").touch()
    return folder


@pytest.fixture
def ranges(tmp_path: Path) -> Path:
    """A ranges file over some addresses that the test databases know."""
    path = tmp_path / "ranges.csv"
    path.write_text(
        "network,name,domain,kind\n203.0.113.0/24,Acme,acme.example,\n67.43.156.0/28,Shoes,,\n1.2.0.0/16,Twelve,,\n",
        encoding="utf-8",
    )
    return path


@with_databases
class TestDatabases:
    """MaxMind's own test databases."""

    def test_every_checked_look_up_reads_the_same(self, lists: Path) -> None:
        cases = json.loads((MAXMIND / "maxmind_lookups.json").read_bytes())["cases"]
        opened = {name: Lookups(mmdb=[MAXMIND / name], lists=lists) for name in {case["db"] for case in cases}}
        wrong = []
        for case in cases:
            company = opened[case["db"]].company(case["input"]["ip"])
            got = company and (company.name, company.domain, company.confidence)
            if got != expected_company(case["db"], case["expected"]):
                wrong.append((case, company))
        assert wrong == []
        assert len(cases) == 550

    @pytest.mark.parametrize(
        ("database", "ip", "expected"),
        [
            (ISP, "1.128.0.1", ("Telstra Internet", "", "isp", 0.7, "isp", "1.128.0.0/11")),
            (ISP, "101.5.1.1", ("Tsinghua University", "", "business", 0.7, "isp", "101.5.0.0/16")),
            (DOMAIN, "67.43.156.1", ("shoesfin.NET", "shoesfin.NET", "business", 0.7, "domain", "67.43.156.0/24")),
            (ASN, "1.0.0.1", ("Google Inc.", "", "unknown", 0.3, "asn", "1.0.0.0/24")),
            (
                ENTERPRISE,
                "81.2.69.161",
                ("STONEHOUSE office network", "in-addr.arpa", "government", 0.9, "enterprise", "81.2.69.160/27"),
            ),
            (ENTERPRISE, "2001:480:10::1", ("DNIC", "navy.mil", "government", 0.9, "enterprise", "2001:480:10::/49")),
            (ENTERPRISE, "149.101.100.1", ("Verizon Wireless", "", "unknown", 0.9, "enterprise", "149.101.100.0/28")),
        ],
    )
    def test_a_layout_names_kind_confidence_and_network(
        self, lists: Path, database: Path, ip: str, expected: tuple[object, ...]
    ) -> None:
        company = Lookups(mmdb=[database], lists=lists).company(ip)
        assert company is not None
        assert msgspec.structs.astuple(company)[:6] == expected
        assert company.as_of.startswith("2026-")
        assert company.as_of.endswith("Z")

    def test_a_network_of_one_address_is_not_shown(self, lists: Path) -> None:
        company = Lookups(mmdb=[ENTERPRISE], lists=lists).company("128.101.101.101")
        assert company is not None
        assert company.network == "128.101.101.0/24"

    def test_the_first_database_that_names_an_organisation_answers_and_others_add_a_domain(self, lists: Path) -> None:
        both = Lookups(mmdb=[ISP, DOMAIN], lists=lists).company("67.43.156.1")
        assert both is not None
        assert (both.name, both.domain, both.source, both.confidence) == ("zudoarichikito_", "shoesfin.NET", "isp", 0.7)
        other_way = Lookups(mmdb=[DOMAIN, ISP], lists=lists).company("67.43.156.1")
        assert other_way is not None
        assert (other_way.name, other_way.source) == ("shoesfin.NET", "domain")

    def test_an_asn_database_is_asked_last_whatever_its_place(self, lists: Path) -> None:
        lookups = Lookups(mmdb=[ISP], asn=ASN, lists=lists)
        named_by_isp, left_to_asn = lookups.company("12.87.118.1"), lookups.company("1.0.0.1")
        assert named_by_isp is not None
        assert named_by_isp.source == "isp"
        assert left_to_asn is not None
        assert left_to_asn.source == "asn"
        lookups.close()

    def test_ranges_come_before_databases_and_take_nothing_from_them(self, lists: Path, ranges: Path) -> None:
        lookups = Lookups(ranges=ranges, mmdb=[ISP, DOMAIN], lists=lists)
        assert lookups.company("67.43.156.1") == Company("Shoes", "", "business", 1.0, "ranges", "67.43.156.0/28", "")
        behind = lookups.company("67.43.156.99")
        assert behind is not None
        assert behind.source == "isp"

    def test_an_anonymous_ip_database_overrides_the_kind_and_names_nobody(self, lists: Path, ranges: Path) -> None:
        lookups = Lookups(ranges=ranges, mmdb=[ENTERPRISE, ANONYMOUS], lists=lists)
        companies = [lookups.company(ip) for ip in ("1.2.0.1", "81.2.69.161", "71.160.223.1", "203.0.113.1")]
        assert [company and company.kind for company in companies] == ["vpn", "vpn", None, "business"]

    def test_hosting_and_vpn_networks_override_every_source(self, lists: Path, ranges: Path) -> None:
        (lists / "hosting-networks.txt").write_text("203.0.113.0/25\n67.43.0.0/16\n1.0.0.0/30\n", encoding="utf-8")
        (lists / "vpn-networks.txt").write_text("203.0.113.64/26\n1.0.0.0/30\n", encoding="utf-8")
        lookups = Lookups(ranges=ranges, mmdb=[ISP], asn=ASN, lists=lists)
        probes = ("203.0.113.1", "203.0.113.65", "203.0.113.129", "67.43.156.1", "67.43.156.99", "1.0.0.1", "1.0.0.9")
        kinds = [company.kind for ip in probes if (company := lookups.company(ip))]
        assert kinds == ["hosting", "vpn", "business", "hosting", "hosting", "vpn", "unknown"]

    def test_a_hosting_network_that_nobody_names_has_no_company(self, lists: Path) -> None:
        (lists / "hosting-networks.txt").write_text("192.0.2.0/24\n", encoding="utf-8")
        assert Lookups(mmdb=[ISP], lists=lists).company("192.0.2.1") is None

    def test_the_list_of_hosting_systems_makes_a_system_hosting(self, lists: Path) -> None:
        (lists / "hosting-asns.txt").write_text("AS15169  # Google\n", encoding="utf-8")
        company = Lookups(asn=ASN, lists=lists).company("1.0.0.1")
        assert company is not None
        assert company.kind == "hosting"

    @pytest.mark.parametrize(
        "name",
        [
            "GeoIP2-City-Test-Broken-Double-Format.mmdb",
            "GeoIP2-City-Test-Invalid-Node-Count.mmdb",
            "MaxMind-DB-test-broken-pointers-24.mmdb",
            "MaxMind-DB-test-broken-search-tree-24.mmdb",
            "LICENSE-MIT",
        ],
    )
    def test_a_corrupt_database_is_refused_at_start(self, lists: Path, name: str) -> None:
        with pytest.raises(CorruptDatabase, match=name):
            Lookups(mmdb=[MAXMIND / name], lists=lists)

    def test_a_truncated_database_is_refused_at_start(self, lists: Path, tmp_path: Path) -> None:
        whole = ISP.read_bytes()
        (tmp_path / "cut.mmdb").write_bytes(whole[: len(whole) // 2])
        with pytest.raises(CorruptDatabase, match=r"cut.mmdb: is no MaxMind database"):
            Lookups(mmdb=[tmp_path / "cut.mmdb"], lists=lists)

    @pytest.mark.parametrize("path", sorted(MAXMIND.glob("*.mmdb")), ids=lambda path: path.stem)
    def test_no_database_that_opens_makes_a_look_up_fail(self, lists: Path, path: Path) -> None:
        try:
            lookups = Lookups(mmdb=[path], lists=lists)
        except CorruptDatabase:
            return
        for ip in ("1.1.1.1", "81.2.69.160", "::1.1.1.1", "2001:218::1", "255.255.255.255", "::"):
            company = lookups.company(ip)
            assert company is None or company.network

    def test_damage_that_shows_only_in_use_is_one_line_in_the_log_and_no_company(
        self, lists: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr("stream.lookups.maxmind._PROVED_NETWORKS", 0)
        monkeypatch.setattr("stream.lookups.maxmind._PROVED_ADDRESSES", 0)
        lookups = Lookups(mmdb=[MAXMIND / "MaxMind-DB-test-broken-pointers-24.mmdb"], lists=lists)
        assert [lookups.company(ip) for ip in ("1.1.1.16", "1.1.1.32", "1.1.1.16")] == [None] * 3
        assert len([record for record in caplog.records if record.levelname == "ERROR"]) == 1

    def test_an_answer_kept_by_network_is_the_answer_read_afresh(self, lists: Path) -> None:
        databases = [ENTERPRISE, ISP, DOMAIN, ASN, ANONYMOUS]
        kept = Lookups(mmdb=databases, lists=lists)
        for ip in [ip for database in databases for ip in known_addresses(database)]:
            assert kept.company(ip) == kept.company(ip)
        afresh = Lookups(mmdb=databases, lists=lists)
        for ip in reversed([ip for database in databases for ip in known_addresses(database)]):
            assert afresh.company(ip) == kept.company(ip)


def expected_company(database: str, record: dict[str, Any]) -> tuple[str, str, float] | None:
    """Return name, domain and confidence of a test database's record, straight from the table of sources."""
    if "Enterprise" in database and "organization" in (record.get("traits") or {}):
        return record["traits"]["organization"], record["traits"].get("domain", ""), 0.9
    if "ISP" in database and "organization" in record:
        return record["organization"], "", 0.7
    if "Domain" in database and "domain" in record:
        return record["domain"], record["domain"], 0.7
    if "ASN" in database and "autonomous_system_organization" in record:
        return record["autonomous_system_organization"], "", 0.3
    return None


def known_addresses(database: Path) -> Iterator[str]:
    with maxminddb.open_database(database) as reader:
        for network, _ in reader:
            address = parse(str(network.network_address))
            if address is not None:
                yield render(address)


def test_a_database_that_is_not_there_is_refused(lists: Path, tmp_path: Path) -> None:
    with pytest.raises(BadLookupFile, match=r"nowhere.mmdb: cannot be read"):
        Lookups(mmdb=[tmp_path / "nowhere.mmdb"], lists=lists)
