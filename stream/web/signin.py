"""Who may ask: a token, a header that a proxy sets, or, without either, whoever is on this machine."""

import hmac
from collections.abc import Mapping

from aiohttp import web

from stream.settings import PREFIX, Settings, is_loopback, without_port
from stream.web.answers import NotSignedIn, WrongHost

OPEN = "/health/"
"""Below it nobody signs in: an orchestrator asks."""


def check(settings: Settings, request: web.Request) -> None:
    """Raise unless the request is signed in."""
    if request.path.startswith(OPEN):
        return
    token, header = settings.web_token, settings.web_proxy_header
    if not token and not header:
        _check_host(settings, request.host)
        return
    told = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if token and hmac.compare_digest(told.encode("utf-8", "surrogateescape"), token.encode()):
        return
    if header and request.headers.get(header):
        return
    raise NotSignedIn(f"sign in: send `Authorization: Bearer …` with the worker's {PREFIX}WEB_TOKEN")


def credentials(settings: Settings) -> Mapping[str, str]:
    """Return the headers with which one worker, or a command, asks another."""
    if settings.web_token:
        return {"Authorization": f"Bearer {settings.web_token}"}
    return {settings.web_proxy_header: "leadstream"} if settings.web_proxy_header else {}


def _check_host(settings: Settings, host: str) -> None:
    """Refuse a foreign name that was made to point to loopback: DNS rebinding."""
    if is_loopback(without_port(host)) or host == settings.advertised:
        return
    raise WrongHost(f"{host!r} is not this machine: without {PREFIX}WEB_TOKEN only 127.0.0.1 and localhost answer")
