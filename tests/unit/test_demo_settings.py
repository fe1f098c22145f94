"""The demo's settings: its own where it must have its own, the user's for the rest."""

import socket
from contextlib import closing

import pytest
from aiohttp.test_utils import unused_port

from stream.cli import demo


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_port_that_is_free_is_taken_and_one_that_is_not_is_replaced(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    port = unused_port()
    monkeypatch.setenv("LEADSTREAM_WEB_HOST", host)
    monkeypatch.setenv("LEADSTREAM_WEB_PORT", str(port))
    assert demo._settings("127.0.0.1:9").web_port == port
    with closing(socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)):
        assert demo._settings("127.0.0.1:9").web_port != port
