"""What clients fetch before they send anything: their settings, and the script that a page loads.

Each is told that there is one destination, and that it is here.
"""

from functools import cache
from importlib import resources
from typing import Any, Final

from stream.collector.answers import Answer, json_answer, text_answer
from stream.collector.incoming import write_key_of
from stream.collector.pages import Page, Route
from stream.collector.request import Request

_CACHED: Final = (b"cache-control", b"public, max-age=300")
_SETTINGS: Final = "/v1/projects/{key}/settings"
_SCRIPT: Final = "/analytics.js/v1/{key}/analytics.min.js"


def pages() -> dict[Route, Page]:
    """Return the pages by method and path."""
    return {
        ("GET", _SETTINGS): _settings,
        ("GET", _SCRIPT): _script,
        ("GET", "/sourceConfig"): _source_config,
        ("GET", "/openapi.json"): _openapi,
    }


async def _settings(request: Request) -> Answer:
    """Answer Segment's analytics.js (analytics-next): events go to where its settings came from."""
    key = request.path.split("/")[3]
    secure = request.header(b"x-forwarded-proto") == "https"
    here: dict[str, Any] = {"apiKey": key, "protocol": "https" if secure else "http", "type": "browser", "versionSettings": {}}
    if host := request.header(b"host"):
        here["apiHost"] = f"{host}/v1"
    integration = {**here, "unbundledIntegrations": [], "addBundledMetadata": True, "componentTypes": ["browser"]}
    document = {
        "integrations": {"Segment.io": integration},
        "plan": {"track": {"__default": {"enabled": True, "integrations": {}}}, "identify": {"__default": {"enabled": True}}},
        "edgeFunction": {},
        "analyticsNextEnabled": True,
        "middlewareSettings": {},
        "enabledMiddleware": {},
        "metrics": {"sampleRate": 0},
        "legacyVideoPluginsEnabled": False,
        "remotePlugins": [],
    }
    return json_answer(document, headers=[(b"cache-control", b"private, max-age=300"), (b"vary", b"Host, Origin")])


async def _script(_: Request) -> Answer:
    """Answer Segment's snippet with a tracker of ours that understands what the snippet has queued."""
    answer = text_answer(_text("stream.collector", "tracker.js"), kind=b"application/javascript; charset=utf-8")
    return answer._replace(headers=[*answer.headers, _CACHED])


async def _openapi(_: Request) -> Answer:
    """Answer with the document of everything that is here."""
    return text_answer(_text("schemas", "generated", "openapi.json"), kind=b"application/json")


async def _source_config(request: Request) -> Answer:
    """Answer RudderStack's SDKs: one enabled source without destinations, nothing to report."""
    key = write_key_of(request) or ""
    nothing = {"enabled": False}
    source = {
        "id": key or "leadstream",
        "name": "leadstream",
        "writeKey": key,
        "enabled": True,
        "workspaceId": "leadstream",
        "config": {"statsCollection": {"errors": nothing, "metrics": nothing}},
        "connections": [],
        "destinations": [],
        "dataplanes": {},
        "createdAt": "2026-01-01T00:00:00.000Z",
        "updatedAt": "2026-01-01T00:00:00.000Z",
    }
    return json_answer({"source": source, "updatedAt": source["updatedAt"], "consentManagementMetadata": {"providers": []}})


@cache
def _text(package: str, *path: str) -> str:
    return resources.files(package).joinpath(*path).read_text("utf-8")
