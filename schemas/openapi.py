"""The OpenAPI 3.1 document of the collector: what trackers send, and every answer there is."""

from collections.abc import Mapping
from typing import Any, Final

from schemas.event_model import EVENT_TYPES

Schema = dict[str, Any]

MOST_EVENTS: Final = 2_500

_TEXT: Final[Schema] = {"type": "string"}
_OBJECT: Final[Schema] = {"type": "object"}
_OPEN: Final[list[Schema]] = [{}, {"writeKey": []}]
_KEY_IN_QUERY: Final = {
    "name": "writeKey",
    "in": "query",
    "schema": _TEXT,
    "description": "the write key, where no header can be",
}
_REFUSALS: Final = {
    "400": "no JSON, or not what belongs here",
    "401": "no write key, or an unknown one",
    "403": "not from this page, or none of these events",
    "413": "too large: send smaller batches",
    "414": "too long an address: send it by POST",
    "415": "an unknown Content-Encoding",
    "429": "more than the write key's rate: come again after Retry-After seconds",
    "431": "too many headers",
    "503": "not stored: send it again after Retry-After seconds",
}

_NOTHING: Final = "nothing is there"

COMPONENTS: Final[Mapping[str, Schema]] = {
    "Event": {
        **_OBJECT,
        "description": "One event as event.schema.json has it; what does not fit there is stored all the same, and told.",
        "examples": [{"type": "page", "anonymousId": "9f2c", "context": {"page": {"url": "https://www.example.com/pricing"}}}],
    },
    "Batch": {
        **_OBJECT,
        "required": ["batch"],
        "properties": {
            "batch": {"type": "array", "minItems": 1, "maxItems": MOST_EVENTS, "items": {"description": "an Event"}},
            "writeKey": {"description": "the write key"},
            "sentAt": {"description": "when the batch left, by the client's clock"},
            "context": {"description": "what holds for every event of the batch"},
        },
    },
    "Payloads": {
        **_OBJECT,
        "required": ["data"],
        "properties": {
            "schema": {"description": "iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4"},
            "data": {
                "type": "array",
                "minItems": 1,
                "maxItems": MOST_EVENTS,
                "items": {"description": "a payload, e = pv, pp …"},
            },
        },
    },
    "Stored": {
        **_OBJECT,
        "required": ["success"],
        "description": "Kafka has every event. `events` tells which of them will be dead letters, or were refused.",
        "properties": {
            "success": {"const": True},
            "events": {
                "type": "array",
                "items": {
                    **_OBJECT,
                    "required": ["index", "outcome", "reason", "message"],
                    "properties": {
                        "index": {"type": "integer", "minimum": 0},
                        "outcome": {"enum": ["dead_letter", "refused"]},
                        "reason": _TEXT,
                        "message": _TEXT,
                    },
                },
            },
        },
    },
    "Refusal": {
        **_OBJECT,
        "required": ["success", "reason", "error"],
        "properties": {"success": {"const": False}, "reason": _TEXT, "error": _TEXT},
    },
    "Personal": {
        **_OBJECT,
        "required": ["company", "tags", "journey", "stage"],
        "properties": {
            "company": {"type": ["object", "null"], "description": "name, domain, kind, columns of the ranges file"},
            "tags": {"type": "array", "items": {**_OBJECT, "required": ["tag", "weight"]}},
            "journey": {"type": ["string", "null"]},
            "stage": _TEXT,
        },
    },
}


def document() -> Schema:
    """Return the document as it is published and served at `/openapi.json`."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "leadstream collector",
            "version": "1.0.0",
            "description": "Events in by HTTP. 200 means that Kafka has acknowledged every event of the request.",
        },
        "paths": dict(sorted(_paths().items())),
        "components": {
            "schemas": dict(COMPONENTS),
            "responses": _refusals(),
            "securitySchemes": {
                "writeKey": {"type": "http", "scheme": "basic", "description": "the write key as user, no password"}
            },
        },
    }


def _paths() -> dict[str, Schema]:
    singles = {f"/v1/{name}": _post(f"one {type_} event", "Event") for type_ in EVENT_TYPES for name in (type_, type_[0])}
    batches = {path: _post("events", "Batch") for path in ("/v1/batch", "/v1/b", "/v1/import")}
    beacon = {"/beacon/v1/batch": _post("events, by sendBeacon", "Batch", _KEY_IN_QUERY)}
    snowplow = {
        "/com.snowplowanalytics.snowplow/tp2": _post("Snowplow payloads", "Payloads"),
        "/i": _image("one Snowplow payload, a member an argument"),
        "/ice.png": _image("one Snowplow payload, a member an argument"),
    }
    pixels = {f"/pixel/v1/{type_}": _image(f"one {type_} event, a member an argument", _KEY_IN_QUERY) for type_ in EVENT_TYPES}
    data = {"name": "data", "in": "query", "required": True, "schema": _TEXT, "description": "the event in JSON, plain or base64"}
    packed = {
        f"/v1/pixel/{name}": _image(f"one {type_} event", data, _KEY_IN_QUERY)
        for type_ in EVENT_TYPES
        for name in (type_, type_[0])
    }
    return singles | batches | beacon | snowplow | pixels | packed | _others()


def _others() -> dict[str, Schema]:
    key = {"name": "key", "in": "path", "required": True, "schema": _TEXT}
    visitor = {"name": "anonymousId", "in": "query", "schema": _TEXT, "description": "the visitor's cookie; none: a first visit"}
    return {
        "/health": _get("the process lives", "text/plain", _TEXT),
        "/health/live": _get("the process lives", "text/plain", _TEXT),
        "/health/ready": _get("Kafka answers", "text/plain", _TEXT),
        "/openapi.json": _get("this document", "application/json", _OBJECT),
        "/metrics": _get("counters for Prometheus; for who is signed in", "text/plain", _TEXT),
        "/v1/debug/{key}": _get(
            "the last events of a write key, by its name; for who is signed in", "application/json", _OBJECT, key
        ),
        "/v1/personalise": _get("what a page may show", "application/json", _ref("Personal"), visitor, _KEY_IN_QUERY),
        "/v1/projects/{key}/settings": _get("what analytics.js fetches first", "application/json", _OBJECT, key),
        "/v1/validate": {"post": _operation("what would become of an event", _body({}), _answers("application/json", _OBJECT))},
        "/analytics.js/v1/{key}/analytics.min.js": _get("a tracker for pages", "application/javascript", _TEXT, key),
        "/sourceConfig": _get("what RudderStack's SDKs fetch first", "application/json", _OBJECT, _KEY_IN_QUERY),
    }


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _post(summary: str, body: str, *parameters: Schema) -> Schema:
    answers = _answers("application/json", _ref("Stored"))
    return {"post": _operation(f"Take {summary}", _body(_ref(body)), answers, *parameters)}


def _image(summary: str, *parameters: Schema) -> Schema:
    answers = _answers("image/gif", {"type": "string", "format": "binary"})
    return {"get": _operation(f"Take {summary}", {}, answers, *parameters)}


def _get(summary: str, kind: str, schema: Schema, *parameters: Schema) -> Schema:
    return {"get": _operation(summary, {}, _answers(kind, schema, ("404",)), *parameters)}


def _operation(summary: str, body: Schema, answers: Schema, *parameters: Schema) -> Schema:
    told = {"summary": summary, "security": _OPEN, "responses": answers}
    return told | body | ({"parameters": list(parameters)} if parameters else {})


def _body(schema: Schema) -> Schema:
    about = "JSON, whatever Content-Type says; gzip and deflate by Content-Encoding"
    return {"requestBody": {"required": True, "description": about, "content": {"application/json": {"schema": schema}}}}


def _answers(kind: str, schema: Schema, more: tuple[str, ...] = ()) -> Schema:
    refused = {status: {"$ref": f"#/components/responses/{status}"} for status in (*_REFUSALS, *more)}
    return {"200": {"description": "done", "content": {kind: {"schema": schema}}}, **refused}


def _refusals() -> Schema:
    content = {"application/json": {"schema": _ref("Refusal")}}
    return {status: {"description": text, "content": content} for status, text in (_REFUSALS | {"404": _NOTHING}).items()}
