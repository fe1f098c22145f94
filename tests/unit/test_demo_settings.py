"""The demo's settings: its own where it must have its own, the user's for the rest."""

import socket
from contextlib import closing
from pathlib import Path

import pytest
from aiohttp.test_utils import unused_port

from stream.cli import demo, services
from stream.settings import Settings

PRODUCTION = {"KAFKA": "kafka.example:9093", "KAFKA_SECURITY": "sasl_ssl", "KAFKA_USERNAME": "u", "KAFKA_PASSWORD": "p"}


def test_the_embedded_broker_is_plaintext_whatever_the_settings_say_of_their_kafka(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in PRODUCTION.items():
        monkeypatch.setenv(f"LEADSTREAM_{name}", value)
    ours, other = demo._settings("127.0.0.1:9", embedded=True), demo._settings("127.0.0.1:9")
    assert (ours.kafka, ours.kafka_security) == (("127.0.0.1:9",), "plaintext")
    assert other.kafka_security == "sasl_ssl", "--kafka is the one that they are for"


def test_what_runs_beside_it_hears_that_too(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: dict[str, str] = {}

    def spawn(_: object, *, env: dict[str, str], output: object) -> None:
        heard.update(env)

    monkeypatch.setattr(services, "spawn", spawn)
    monkeypatch.setattr(services, "end", lambda _: None)
    monkeypatch.setenv("LEADSTREAM_KAFKA_SECURITY", "ssl")
    with services.beside(demo._settings("127.0.0.1:9", embedded=True), "worker"):
        assert (heard["LEADSTREAM_KAFKA"], heard["LEADSTREAM_KAFKA_SECURITY"]) == ("127.0.0.1:9", "plaintext")


def test_what_runs_beside_it_imports_nothing_of_the_folder_it_is_called_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("stream", "schemas", "click", "json"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('a stranger')\n")
    monkeypatch.chdir(tmp_path)
    with services.beside(Settings(), "--help") as service:
        code = service.process.wait(60)
        service.log.seek(0)
        told = service.log.read().decode()
    assert (code, "Usage: leadstream" in told) == (0, True), told


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_port_that_is_free_is_taken_and_one_that_is_not_is_replaced(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    port = unused_port()
    monkeypatch.setenv("LEADSTREAM_WEB_HOST", host)
    monkeypatch.setenv("LEADSTREAM_WEB_PORT", str(port))
    assert demo._settings("127.0.0.1:9").web_port == port
    with closing(socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)):
        assert demo._settings("127.0.0.1:9").web_port != port


def test_a_port_of_ones_own_choice_is_known_before_the_demo_shows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADSTREAM_WEB_PORT", "0")
    monkeypatch.setenv("LEADSTREAM_COLLECTOR_PORT", "0")
    chosen = demo._settings("127.0.0.1:9")
    assert chosen.web_port
    assert chosen.collector_port
