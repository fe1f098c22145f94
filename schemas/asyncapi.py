"""The AsyncAPI 3.0 document: every topic with its key, headers, messages and who writes it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

Schema = dict[str, Any]

TEXT: Final[Schema] = {"type": "string"}
DAY_MS: Final = 24 * 60 * 60 * 1000


@dataclass(frozen=True)
class Message:
    """One kind of record: `payload` names a generated schema, None = bytes that only this app reads."""

    name: str
    summary: str
    key: str
    payload: str | None = None
    headers: Mapping[str, str] | None = None
    headers_from: str | None = None
    content_type: str = "application/json"
    or_null: bool = False


@dataclass(frozen=True)
class Channel:
    """One topic; `partitions` None = as many as the setting PARTITIONS says."""

    address: str
    summary: str
    messages: tuple[Message, ...]
    action: str
    cleanup: str = "delete"
    retention_days: int | None = 7
    partitions: int | None = None


ON_EVENTS: Final = {
    "leadstream-trust": "browser or server: who vouches for it, as the collector saw; without it: somebody inside",
    "leadstream-company": "the company that the collector found by the address it then cut, as JSON; null: none",
    "leadstream-forwarded-from": "PARTITION:OFFSET a misplaced record was found at",
    "leadstream-replayed": "TOPIC:PARTITION:OFFSET of the dead letter this is a replay of",
    "leadstream-history": "1: history that is being loaded (send --as-recorded)",
}
TYPED: Final = {"content-type": "application/cloudevents+json"}
CLOUD_EVENT: Final = {**TYPED, "leadstream-lag-ms": "how late the worker was, in milliseconds"}
UNTOLD: Final = {
    **TYPED,
    "leadstream-topic": "where the fact was",
    "leadstream-partition": "its partition",
    "leadstream-offset": "its offset",
    "leadstream-attempts": "how often it was posted",
    "leadstream-message": "the last answer, or why there was none",
}


def _fact(name: str, summary: str, key: str = "lead id") -> Message:
    return Message(name, summary, key, name, CLOUD_EVENT, content_type="application/cloudevents+json")


def _own(name: str, summary: str, key: str, kinds: str = "") -> Message:
    headers = {"leadstream-internal": f"{kinds}: the kind of this record of the app's own"} if kinds else None
    return Message(name, summary, key, headers=headers, content_type="application/octet-stream")


CHANNELS: Final = (
    Channel(
        "events",
        "What visitors, leads and the CRM did, one event a record",
        (
            Message("event", "One event", "the event's key identity, kind:scope:value", "event", ON_EVENTS),
            _own("own", "The app's own records: others skip them", "none", "erase, sweep, ruleset or resync"),
        ),
        "receive",
    ),
    Channel(
        "wakes",
        "Somebody listens to this source identity now",
        (_own("wake", "One wake", "source identity", "wake"),),
        "receive",
    ),
    Channel(
        "people",
        "The one ordered log that decides about people",
        (_own("decision", "A snapshot, a tick, an operator's word or a ruleset", "none", "resync, where one wrote it"),),
        "receive",
        partitions=1,
    ),
    Channel(
        "members",
        "Who counts for which account",
        (_own("member", "Snapshots of members, leavings, ticks", "account id"),),
        "receive",
    ),
    Channel(
        "stage-changes",
        "What the CRM reads",
        (
            _fact("stage-change", "A lead entered another stage"),
            _fact("lead-merged", "Two leads became one; the subject is the one that ends"),
            _fact("lead-unmerged", "A lead is on its own again"),
            _fact("lead-erased", "A lead was erased"),
            _fact("identity-conflict", "A link between two identities was refused"),
        ),
        "send",
        retention_days=30,
    ),
    Channel(
        "account-changes",
        "Stage changes of accounts",
        (_fact("account-change", "An account entered another stage", "account id"),),
        "send",
        retention_days=30,
    ),
    Channel(
        "lead-states",
        "Per lead the bytes of its newest stage change, null after a merge or an erasure",
        (
            Message(
                "lead-state",
                "A lead's newest stage change, as in stage-changes; null: it has none any more",
                "lead id",
                "stage-change",
                TYPED,  # none on a null
                content_type="application/cloudevents+json",
                or_null=True,
            ),
        ),
        "send",
        cleanup="compact",
        retention_days=None,
    ),
    Channel(
        "dead-letters",
        "What could not be processed: the original bytes, and headers saying why",
        (
            Message(
                "dead-letter",
                "The original value of one refused record, whose other headers stay",
                "as the source's",
                headers_from="dead-letter",
                content_type="application/octet-stream",
            ),
        ),
        "send",
        retention_days=14,
    ),
    Channel(
        "outbound-dead-letters",
        "Facts that no webhook's receiver took (`leadstream webhook`): the fact as in stage-changes, and headers saying why",
        (
            Message(
                "webhook-dead-letter",
                "One fact that was not told",
                "as the fact's: lead id",
                headers=UNTOLD,
                content_type="application/cloudevents+json",
            ),
        ),
        "send",
        retention_days=14,
        partitions=1,
    ),
    *(
        Channel(
            f"{{app}}-{table}-changelog",
            f"The rows of the table {table}",
            (_own("row", "One row", "table key"),),
            "send",
            cleanup="compact",
            retention_days=None,
            partitions=1 if table == "people" else None,
        )
        for table in ("visitors", "people", "accounts")
    ),
)


def _name(channel: Channel) -> str:
    return channel.address.replace("{app}-", "")


def _headers(message: Message) -> Schema:
    if message.headers_from is not None:
        return {"$ref": f"#/components/schemas/{message.headers_from}"}
    described = {name: {**TEXT, "description": text} for name, text in (message.headers or {}).items()}
    return {"type": "object", "properties": described}


def _message(message: Message) -> Schema:
    described: Schema = {
        "name": message.name,
        "summary": message.summary,
        "contentType": message.content_type,
        "headers": _headers(message),
    }
    if message.payload is not None:
        payload: Schema = {"$ref": f"#/components/schemas/{message.payload}"}
        described["payload"] = {"oneOf": [payload, {"type": "null"}]} if message.or_null else payload
    described["bindings"] = {"kafka": {"key": {**TEXT, "description": message.key}, "bindingVersion": "0.5.0"}}
    return described


def _channel(channel: Channel) -> Schema:
    kafka: Schema = {"topicConfiguration": {"cleanup.policy": [channel.cleanup]}, "bindingVersion": "0.5.0"}
    if channel.retention_days is not None:
        kafka["topicConfiguration"]["retention.ms"] = channel.retention_days * DAY_MS
    if channel.partitions is not None:
        kafka["partitions"] = channel.partitions
    described: Schema = {"address": channel.address, "description": channel.summary}
    if "{app}" in channel.address:
        described["parameters"] = {"app": {"description": "the setting APP", "default": "leadstream"}}
    refs = {message.name: {"$ref": f"#/components/messages/{message.name}"} for message in channel.messages}
    return described | {"messages": refs, "bindings": {"kafka": kafka}}


def _hoisted(schemas: Mapping[str, Schema]) -> Schema:
    """Return the schemas with their inner definitions beside them, as AsyncAPI's references want it."""
    hoisted: Schema = {}
    for name, schema in schemas.items():
        hoisted[name] = {key: part for key, part in schema.items() if key not in {"$schema", "$id", "$defs"}}
        hoisted |= {f"{name}.{inner}": part for inner, part in schema.get("$defs", {}).items()}
        for part_name in [name, *(f"{name}.{inner}" for inner in schema.get("$defs", {}))]:
            hoisted[part_name] = _rebased(hoisted[part_name], name)
    return hoisted


def _rebased(schema: Any, name: str) -> Any:
    if isinstance(schema, list):
        return [_rebased(part, name) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if isinstance(schema.get("$ref"), str):
        return {**schema, "$ref": schema["$ref"].replace("#/$defs/", f"#/components/schemas/{name}.")}
    return {key: _rebased(part, name) for key, part in schema.items()}


def document(schemas: Mapping[str, Schema]) -> Schema:
    """Return the document; `schemas` are the published ones by name."""
    messages = {message.name: message for channel in CHANNELS for message in channel.messages}
    used = {name for message in messages.values() for name in (message.payload, message.headers_from) if name}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "leadstream",
            "version": "1",
            "description": "Events go in, stage changes with reasons come out. TOPIC_PREFIX precedes every address.",
        },
        "defaultContentType": "application/json",
        "servers": {"kafka": {"host": "127.0.0.1:9092", "protocol": "kafka"}},
        "channels": {_name(channel): _channel(channel) for channel in CHANNELS},
        "operations": {
            f"{channel.action}-{_name(channel)}": {
                "action": channel.action,
                "channel": {"$ref": f"#/channels/{_name(channel)}"},
            }
            for channel in CHANNELS
        },
        "components": {
            "messages": {name: _message(message) for name, message in messages.items()},
            "schemas": _hoisted({name: schema for name, schema in schemas.items() if name in used}),
        },
    }
