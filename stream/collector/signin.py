"""Who may look behind the collector: whoever has WEB_TOKEN; without one, whoever asks from this very machine.

A page in a browser of this machine does not, and a proxy does not: neither one that says so, nor one of TRUSTED_PROXIES.

signin.check(settings, request)        # Refused(404): to everybody else there is nothing here
"""

import hmac
from typing import Final

from stream.collector.client_ip import HEADERS, load
from stream.collector.request import Refused, Request
from stream.settings import PREFIX, Settings, is_loopback, without_port

_FOREIGN: Final = (*(name.encode() for name in HEADERS), b"via", b"origin")
"""What a proxy adds, or a browser for a page of another host."""
_OWN_PAGES: Final = frozenset({b"same-origin", b"none"})
_BEARER: Final = "bearer "


def check(settings: Settings, request: Request) -> None:
    """Raise Refused unless the request may see what visitors sent."""
    told = request.header(b"authorization") or ""
    if settings.web_token:
        token = told[len(_BEARER) :] if told.lower().startswith(_BEARER) else ""
        if hmac.compare_digest(token.encode("latin-1"), settings.web_token.encode()):
            return
        raise Refused(401, "sign_in", f"send `Authorization: Bearer …` with {PREFIX}WEB_TOKEN")
    if not _is_here(request) or load(settings).trusts(request.peer or ""):
        raise Refused(404, "path", f"not here: set {PREFIX}WEB_TOKEN, or ask from the collector's own machine")


def _is_here(request: Request) -> bool:
    """Tell whether nobody stands between: no proxy, no page, and no foreign name that was made to point here (DNS rebinding)."""
    if not request.peer or not is_loopback(request.peer) or any(name in request.headers for name in _FOREIGN):
        return False
    if request.headers.get(b"sec-fetch-site", b"none") not in _OWN_PAGES:
        return False
    return is_loopback(without_port(request.header(b"host") or ""))
