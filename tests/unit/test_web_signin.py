"""Who may ask a worker."""

import pytest
from aiohttp.test_utils import make_mocked_request

from stream.settings import Settings
from stream.web import signin
from stream.web.answers import NotSignedIn, WrongHost


def check(path: str = "/v1/leads", headers: dict[str, str] | None = None, **settings: str) -> None:
    request = make_mocked_request("GET", path, headers={"Host": "127.0.0.1:6066", **(headers or {})})
    signin.check(Settings(**settings), request)


@pytest.mark.parametrize("told", [None, "", "Bearer ", "Bearer wrong", "Bearer s3cretx", "Basic s3cret", "Bearer é"])
def test_without_the_token_nothing_is_told(told: str | None) -> None:
    with pytest.raises(NotSignedIn, match="LEADSTREAM_WEB_TOKEN"):
        check(headers={} if told is None else {"Authorization": told}, web_token="s3cret")


@pytest.mark.parametrize("path", ["/", "/metrics", "/v1/lag", "/internal/lead-of/anon::x", "/healthy"])
def test_everything_but_health_wants_the_token(path: str) -> None:
    with pytest.raises(NotSignedIn):
        check(path, web_token="s3cret")
    check(path, {"Authorization": "Bearer s3cret"}, web_token="s3cret")


def test_health_is_open_to_orchestrators() -> None:
    check("/health/ready", {"Host": "10.0.0.7:6066"}, web_token="s3cret", web_host="0.0.0.0")


def test_a_header_that_the_proxy_sets_signs_in() -> None:
    check(headers={"X-User": "ada"}, web_proxy_header="X-User")
    with pytest.raises(NotSignedIn):
        check(headers={"X-User": ""}, web_proxy_header="X-User")


@pytest.mark.parametrize("host", ["127.0.0.1:6066", "localhost:6066", "LOCALHOST", "[::1]:6066", "127.0.0.1"])
def test_on_loopback_nobody_needs_to_sign_in(host: str) -> None:
    check(headers={"Host": host})


@pytest.mark.parametrize("host", ["evil.example", "evil.example:6066", "127.0.0.1.evil.example", "10.0.0.7:6066", "[::2]", ""])
def test_a_foreign_name_that_points_to_loopback_is_refused(host: str) -> None:
    with pytest.raises(WrongHost):
        check(headers={"Host": host})


def test_the_advertised_name_is_ours() -> None:
    check(headers={"Host": "worker-1:6066"}, web_advertise="worker-1:6066")
