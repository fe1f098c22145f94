"""The shipped networks of servers and hidden visitors."""

from pathlib import Path

import pytest

from stream.lookups import Lookups


def kind_of(ip: str, folder: Path) -> str:
    """Return the kind of a company that a ranges file names at this address."""
    path = folder / "ranges.csv"
    path.write_text(f"network,name,domain,kind\n{ip},Anybody,,\n", encoding="utf-8")
    company = Lookups(ranges=path).company(ip)
    assert company is not None
    return company.kind


@pytest.mark.parametrize("ip", ["52.95.110.1", "8.8.8.8", "2600:1f18::1"])
def test_an_address_of_a_cloud_is_hosting(tmp_path: Path, ip: str) -> None:
    assert kind_of(ip, tmp_path) == "hosting"


@pytest.mark.parametrize("ip", ["38.100.1.1", "12.87.118.1"])
def test_a_carrier_holds_companies_and_stays_what_the_source_says(tmp_path: Path, ip: str) -> None:
    assert kind_of(ip, tmp_path) == "business"


@pytest.mark.parametrize("ip", ["203.0.113.1", "198.51.100.1", "192.0.2.1", "10.0.0.1", "2001:db8::1", "::1"])
def test_a_documentation_or_private_network_is_nobodys_server(tmp_path: Path, ip: str) -> None:
    """The package's table covers 203.0.113.0/24, which is in every example."""
    assert kind_of(ip, tmp_path) == "business"
