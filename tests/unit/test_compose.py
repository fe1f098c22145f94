"""docker-compose.yml and Dockerfile: what can be known without building or starting anything."""

import pytest

from stream.settings import load
from tests.brokers import ROOT
from tests.compose import FILE, resolved


def test_composes_own_parser_accepts_the_file() -> None:
    assert set(resolved()["services"]) == {"kafka", "topics", "worker", "collector", "stage-changes"}


def test_ports_are_published_on_loopback_only() -> None:
    ports = [port for service in resolved()["services"].values() for port in service.get("ports", [])]

    assert {port["host_ip"] for port in ports} == {"127.0.0.1"}
    assert {port["published"] for port in ports} == {"9092", "6066", "8080"}


def test_kafka_sends_containers_and_the_host_to_addresses_of_their_own() -> None:
    environment = resolved()["services"]["kafka"]["environment"]
    advertised = dict(entry.split("://") for entry in environment["KAFKA_ADVERTISED_LISTENERS"].split(","))

    assert advertised == {"CONTAINERS": "kafka:19092", "HOST": "127.0.0.1:9092"}
    assert environment["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"


@pytest.mark.parametrize("service", ["topics", "worker", "collector"])
def test_the_settings_of_each_service_are_accepted(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in resolved()["services"][service]["environment"].items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(ROOT / "tests")

    assert load().kafka == ("kafka:19092",)


def test_the_webhook_is_there_for_who_asks_and_its_settings_are_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    service = resolved(FILE, "webhook")["services"]["webhook"]
    for name, value in service["environment"].items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(ROOT / "tests")

    assert (load().webhook_url, load().webhook_secrets, load().webhook_port) == (None, (), 6067)
    assert "ports" not in service
    assert "127.0.0.1:6067/health/live" in service["healthcheck"]["test"][-1]
    assert service["depends_on"]["topics"]["condition"] == "service_completed_successfully"


def test_order_topics_before_worker_after_a_healthy_kafka() -> None:
    services = resolved()["services"]

    assert services["topics"]["depends_on"]["kafka"]["condition"] == "service_healthy"
    assert services["worker"]["depends_on"]["topics"]["condition"] == "service_completed_successfully"


def test_the_image_is_slim_locked_and_not_root() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()

    assert [line.split()[1] for line in lines if line.startswith("FROM")] == ["python:3.11-slim", "python:3.11-slim"]
    assert "USER leadstream" in lines
    assert any("--require-hashes -r requirements.lock" in line for line in lines)
    assert any(line.startswith("HEALTHCHECK") for line in lines)


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_every_locked_package_has_a_hash_and_no_index_is_named(name: str) -> None:
    text = (ROOT / name).read_text()
    packages = [line for line in text.splitlines() if line[:1].isalnum()]

    assert len(packages) > 30
    assert all(line.endswith("\\") for line in packages)
    assert "--index-url" not in text
    assert "--find-links" not in text
    assert "://" not in text
