"""What an installation can choose: `LEADSTREAM_…` in the environment or in a `.env` file."""

import ipaddress
import re
import socket
import ssl
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic.fields import FieldInfo

from stream.addresses import host_port, is_url
from stream.durations import format_duration, parse_duration
from stream.environment import chosen
from stream.errors import UsageError
from stream.regions import region

PREFIX = "LEADSTREAM_"
SHORTEST_SESSION, LONGEST_SESSION = timedelta(seconds=1), timedelta(days=24)
"""A heartbeat takes a third of the first; in milliseconds the second just fits into what Kafka's protocol has for it."""


def _positive(value: timedelta) -> timedelta:
    if not value:
        raise ValueError("it must be longer than nothing")
    return value


def _split(text: object) -> object:
    return tuple(part.strip() for part in text.split(",") if part.strip()) if isinstance(text, str) else text


def _hosts(text: object) -> object:
    parts = _split(text)
    if not isinstance(parts, tuple) or not parts:
        raise ValueError("give host:port, several separated by commas")
    for part in parts:
        host, _, port = str(part).rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 65536:
            raise ValueError(f"{part!r} is not host:port")
    return parts


def _url(text: str) -> str:
    if not is_url(text):
        raise ValueError("that is no address: write it like http://127.0.0.1:6066")
    return text


def _none_if_empty(text: object) -> object:
    return None if text == "" else text


Duration = Annotated[timedelta, BeforeValidator(parse_duration), AfterValidator(_positive)]
OptionalDuration = Annotated[Duration | None, BeforeValidator(_none_if_empty)]
Hosts = Annotated[tuple[str, ...], BeforeValidator(_hosts)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_split)]
Paths = Annotated[tuple[Path, ...], BeforeValidator(_split)]
OptionalPath = Annotated[Path | None, BeforeValidator(_none_if_empty)]
OptionalText = Annotated[str | None, BeforeValidator(_none_if_empty)]
HostPort = Annotated[Annotated[str, AfterValidator(host_port)] | None, BeforeValidator(_none_if_empty)]
Url = Annotated[Annotated[str, AfterValidator(_url)] | None, BeforeValidator(_none_if_empty)]
Region = Annotated[Annotated[str, AfterValidator(region)] | None, BeforeValidator(_none_if_empty)]
Port = Annotated[int, Field(ge=0, le=65535)]
TopicText = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]*$", max_length=100)]


class Settings(BaseModel):
    """All settings; the field `topic_prefix` is `LEADSTREAM_TOPIC_PREFIX`."""

    model_config = ConfigDict(frozen=True)

    kafka: Hosts = Field(("127.0.0.1:9092",), description="Kafka's addresses, `host:port,…`")
    kafka_security: Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] = Field(
        "plaintext", description="how to talk to Kafka: plaintext, ssl, sasl_plaintext or sasl_ssl"
    )
    kafka_username: OptionalText = Field(None, description="SASL user")
    kafka_password: OptionalText = Field(None, description="SASL password", repr=False)
    kafka_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "PLAIN", description="SASL mechanism: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"
    )
    kafka_ca: OptionalPath = Field(None, description="PEM file of the authority that signed Kafka's certificate")
    kafka_cert: OptionalPath = Field(None, description="PEM file of our certificate")
    kafka_key: OptionalPath = Field(None, description="PEM file of our key")
    kafka_plaintext: Literal["loopback", "anywhere"] = Field(
        "loopback", description="where plaintext is allowed: loopback, or anywhere on a network you trust"
    )
    kafka_embedded: bool = Field(
        False, description="Kafka is `leadstream broker`: no idempotent producer; `worker` finds out by itself"
    )

    app: TopicText = Field("leadstream", min_length=1, description="consumer group, prefix of the changelogs; one a TOPIC_PREFIX")
    topic_prefix: TopicText = Field("", description="put before every topic's name")
    partitions: int = Field(8, ge=1, le=1000, description="partitions of `events` and what goes with it")
    replication: int = Field(1, ge=1, le=9, description="copies of each partition; 3 survive the loss of a machine")

    ruleset: OptionalPath = Field(None, description="TOML file that seeds an empty installation; none: the shipped one")
    company_ranges: OptionalPath = Field(None, description="CSV file: network,name,domain,kind,…")
    mmdb: Paths = Field((), description="MaxMind databases, comma separated")
    asn: OptionalPath = Field(None, description="table of networks and autonomous systems")
    lists: OptionalPath = Field(None, description="folder whose word lists replace the shipped ones of the same name")
    phone_region: Region = Field(None, description="country (like DE) of telephone numbers written without one")

    retention_events: Duration = Field(timedelta(days=7), description="how long `events` are kept")
    retention_wakes: Duration = Field(timedelta(days=7), description="how long `wakes` are kept")
    retention_people: Duration = Field(timedelta(days=7), description="how long `people` is kept")
    retention_members: Duration = Field(timedelta(days=7), description="how long `members` are kept")
    retention_stage_changes: Duration = Field(timedelta(days=30), description="how long `stage-changes` are kept")
    retention_account_changes: Duration = Field(timedelta(days=30), description="how long `account-changes` are kept")
    retention_dead_letters: Duration = Field(timedelta(days=14), description="how long `dead-letters` are kept")

    session_timeout: Duration = Field(timedelta(seconds=10), description="after it Kafka takes a silent worker for dead")
    checkpoint: Duration = Field(timedelta(seconds=1), description="longest time between two checkpoints")
    instance: OptionalText = Field(None, description="static group member id: a restarted worker is back in a second")

    exits: OptionalPath = Field(
        None, description="file in which a worker counts why it ended itself, told at /metrics once it is back; none: not kept"
    )
    traces: Literal["off", "on"] = Field("off", description="OpenTelemetry traces by OTLP: off or on, with leadstream[otel]")
    canary: OptionalDuration = Field(None, description="how often a worker sends a canary through each of its partitions")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="debug, info, warning or error")
    log_format: Literal["console", "json"] = Field("console", description="console or json")

    web_host: str = Field("127.0.0.1", description="where the worker's pages and API listen")
    web_port: Port = Field(6066, description="their port; 0: one that is free")
    web_advertise: HostPort = Field(None, description="how other workers reach it, `host:port`; none: WEB_HOST:WEB_PORT")
    web_token: OptionalText = Field(None, description="sign-in by token; off loopback this or the next", repr=False)
    web_proxy_header: OptionalText = Field(None, description="sign-in by a header that your proxy sets")
    collector_host: str = Field("127.0.0.1", description="where the collector listens")
    collector_port: Port = Field(8080, description="its port")
    worker_url: Url = Field(
        None, description="where the collector asks what is known of a visitor; none: http://WEB_HOST:WEB_PORT"
    )
    write_keys: OptionalPath = Field(None, description="TOML file: per key origins, event types, rate, consent")
    any_write_key: Literal["loopback", "anywhere"] = Field(
        "loopback", description="where a collector without WRITE_KEYS may listen and take any key: loopback, or anywhere"
    )
    trusted_proxies: Texts = Field((), description="networks whose X-Forwarded-For is believed")
    proxy_header: Literal["auto", "x-forwarded-for", "forwarded", "x-real-ip"] = Field(
        "auto", description="the header these write: auto (the first there is), x-forwarded-for, forwarded or x-real-ip"
    )
    cors_origins: Texts = Field((), description="origins whose pages may send events")
    ip_retention: Literal["truncate", "drop", "keep"] = Field(
        "truncate", description="what is stored of an address after its use: truncate, drop or keep"
    )
    webhook_url: OptionalText = Field(None, description="where `leadstream webhook` posts each stage change", repr=False)
    webhook_secrets: Texts = Field((), description="`whsec_…`; all of several sign, so that one can be replaced", repr=False)
    webhook_networks: Texts = Field((), description="private networks that a webhook may go to, like 10.1.0.0/16")
    webhook_patience: Duration = Field(timedelta(days=3), description="how long a webhook is tried before it is a dead letter")
    webhook_port: Port = Field(0, description="where `leadstream webhook` answers /metrics, on WEB_HOST; 0: nowhere")

    @model_validator(mode="before")
    @classmethod
    def _spelling(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        for name, fold in (
            ("log_level", str.lower),
            ("log_format", str.lower),
            ("kafka_security", str.lower),
            ("kafka_mechanism", str.upper),
            ("proxy_header", str.lower),
        ):
            if isinstance(values.get(name), str):
                values = {**values, name: fold(values[name])}
        return values

    @model_validator(mode="after")
    def _safe(self) -> Self:
        if self.kafka_security.endswith("plaintext") and self.kafka_plaintext == "loopback":
            for host in self.kafka:
                if not is_loopback(host.rpartition(":")[0]):
                    raise ValueError(
                        f"KAFKA is {host}, and plaintext is refused off loopback: "
                        "set KAFKA_SECURITY=ssl or sasl_ssl, or KAFKA_PLAINTEXT=anywhere on a network you trust"
                    )
        if self.kafka_security.startswith("sasl") and not (self.kafka_username and self.kafka_password):
            raise ValueError(f"KAFKA_SECURITY is {self.kafka_security}: set KAFKA_USERNAME and KAFKA_PASSWORD too")
        if bool(self.kafka_cert) != bool(self.kafka_key):
            raise ValueError("KAFKA_CERT and KAFKA_KEY go together: set both or none")
        if not is_loopback(self.web_host) and not (self.web_token or self.web_proxy_header):
            raise ValueError(f"WEB_HOST is {self.web_host}, off loopback: set WEB_TOKEN or WEB_PROXY_HEADER")
        return self

    @model_validator(mode="after")
    def _in_time(self) -> Self:
        if not SHORTEST_SESSION <= self.session_timeout <= LONGEST_SESSION:
            raise ValueError(
                f"SESSION_TIMEOUT is {format_duration(self.session_timeout)}: give {format_duration(SHORTEST_SESSION)} to "
                f"{format_duration(LONGEST_SESSION)}, and what your Kafka's group.min and group.max.session.timeout.ms let pass"
            )
        return self

    @model_validator(mode="after")
    def _sendable(self) -> Self:
        if not re.fullmatch(r"[^\x00-\x1f\x7f\ud800-\udfff]*", self.web_token or ""):
            raise ValueError("WEB_TOKEN holds the end of a line, or what no header can: set it without")
        if not re.fullmatch(r"[\w!#$%&'*+.^`|~-]*", self.web_proxy_header or "", re.ASCII):
            raise ValueError(f"WEB_PROXY_HEADER is {self.web_proxy_header!r}: give a header's name, like X-Forwarded-User")
        return self

    @property
    def advertised(self) -> str:
        """How other workers reach this one, `host:port`; a worker that listens everywhere is reached by its host's name."""
        host = socket.gethostname() if self.web_host in {"0.0.0.0", "::"} else self.web_host  # noqa: S104 - compared, not bound
        return self.web_advertise or at(host, self.web_port)

    @property
    def web_url(self) -> str:
        """Where the worker's pages and API are on this machine."""
        return f"http://{at(self.web_host, self.web_port)}"

    @property
    def collector_url(self) -> str:
        """Where the collector is on this machine."""
        return f"http://{at(self.collector_host, self.collector_port)}"

    @property
    def member_url(self) -> str:
        """Where others of the group find a worker: Faust's `canonical_url`."""
        return f"http://{self.advertised}"

    @property
    def min_insync_replicas(self) -> int:
        """How many copies must have a record before it counts."""
        return 2 if self.replication >= 3 else 1

    def ssl_context(self) -> ssl.SSLContext | None:
        """Make the TLS context, or None for plaintext."""
        if not self.kafka_security.endswith("ssl"):
            return None
        try:
            context = ssl.create_default_context(cafile=self.kafka_ca)
            if self.kafka_cert:
                context.load_cert_chain(self.kafka_cert, self.kafka_key)
        except (OSError, ssl.SSLError) as error:
            files = ", ".join(str(path) for path in (self.kafka_ca, self.kafka_cert, self.kafka_key) if path)
            raise UsageError(f"{PREFIX}KAFKA_CA, _CERT, _KEY: {error} ({files}): name readable PEM files") from error
        return context

    def topic(self, name: str) -> str:
        """Return what one of our topics is called here."""
        return self.topic_prefix + name

    def client(self) -> dict[str, Any]:
        """Return what every aiokafka client takes to connect."""
        chosen: dict[str, Any] = {
            "bootstrap_servers": list(self.kafka),
            "client_id": self.app,
            "security_protocol": self.kafka_security.upper(),
            "ssl_context": self.ssl_context(),
        }
        if self.kafka_security.startswith("sasl"):
            chosen |= {
                "sasl_mechanism": self.kafka_mechanism,
                "sasl_plain_username": self.kafka_username,
                "sasl_plain_password": self.kafka_password,
            }
        return chosen

    def faust_credentials(self) -> Any:
        """Return the same for Faust's `broker_credentials`; None for plaintext."""
        import faust  # noqa: PLC0415 -- takes a second, and only a worker needs it

        context = self.ssl_context()
        if self.kafka_security.startswith("sasl"):
            return faust.SASLCredentials(
                username=self.kafka_username,
                password=self.kafka_password,
                mechanism=self.kafka_mechanism,
                ssl_context=context,
            )
        return faust.SSLCredentials(context) if context else None


def at(host: str, port: int) -> str:
    """Write a host and a port as a URL has them.

    >>> at("127.0.0.1", 6066), at("::1", 6066)
    ('127.0.0.1:6066', '[::1]:6066')
    """
    return f"[{host}]:{port}" if ":" in host and not host.startswith("[") else f"{host}:{port}"


def without_port(host: str) -> str:
    """Return what a Host header names.

    >>> without_port("127.0.0.1:6066"), without_port("[::1]:6066"), without_port("localhost")
    ('127.0.0.1', '[::1]', 'localhost')
    """
    return host[: host.index("]") + 1] if host.startswith("[") and "]" in host else host.partition(":")[0]


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address can only mean this machine."""
    host = host.strip("[]").lower()
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def no_topic(name: str) -> UsageError:
    """Return what is said of a topic that Kafka does not show."""
    return UsageError(
        f"topic {name} does not exist, or we may not see it: run `leadstream topics`, set {PREFIX}TOPIC_PREFIX, or allow it "
        "(docs/runbook/acls.md)"
    )


def load(**overrides: Any) -> Settings:
    """Read the settings; raises UsageError with one line naming the setting that is wrong."""
    told = chosen(PREFIX)
    _refuse_unknown(told)
    try:
        return Settings(**{name.lower(): value for name, value in told.items()} | overrides)
    except ValidationError as error:
        raise UsageError(_explain(error)) from None


def rows() -> Iterator[tuple[str, str, str]]:
    """Yield name, default and description of every setting."""
    for name, field in Settings.model_fields.items():
        yield f"{PREFIX}{name.upper()}", _shown(field), field.description or ""


def table() -> str:
    """Render the settings for `leadstream worker --help`."""
    width = max(len(name) for name, _, _ in rows())
    return "\n".join(f"{name:<{width}}  {text} [{default}]" for name, default, text in rows())


def _shown(field: FieldInfo) -> str:
    match field.default:
        case None | () | "":
            return "none"
        case bool(flag):
            return str(flag).lower()
        case timedelta() as duration:
            return format_duration(duration)
        case tuple(parts):
            return ",".join(map(str, parts))
        case other:
            return str(other)


def _refuse_unknown(chosen: Iterable[str]) -> None:
    known = [name.upper() for name in Settings.model_fields]
    for name in sorted(chosen):
        if name not in known:
            import difflib  # noqa: PLC0415 - likewise

            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {PREFIX}{close[0]}?" if close else "`leadstream worker --help` lists all"
            raise UsageError(f"unknown setting {PREFIX}{name}: {hint}")


def _explain(error: ValidationError) -> str:
    first = error.errors()[0]
    reason = first["msg"].removeprefix("Value error, ")
    if not first["loc"]:
        return f"settings: {reason}"
    name = f"{PREFIX}{str(first['loc'][0]).upper()}"
    secret = name.endswith(("PASSWORD", "TOKEN", "SECRETS")) or (name.endswith("URL") and "@" in str(first["input"]))
    value = "…" if secret else repr(first["input"])
    return f"{name} is {value}: {reason}"
