"""Settings: what may be chosen, what is refused, and what is told."""

import errno
from datetime import timedelta
from pathlib import Path

import phonenumbers
import pytest
from yarl import URL

from stream import settings
from stream.durations import format_duration, parse_duration
from stream.errors import UsageError
from stream.regions import REGIONS, region
from stream.settings import is_loopback, load, rows, table


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _set(monkeypatch: pytest.MonkeyPatch, **chosen: str) -> None:
    for name, value in chosen.items():
        monkeypatch.setenv(f"LEADSTREAM_{name}", value)


def test_without_any_setting_the_defaults_of_the_contract_hold() -> None:
    chosen = load()

    assert chosen.kafka == ("127.0.0.1:9092",)
    assert (chosen.app, chosen.topic_prefix, chosen.partitions, chosen.replication) == ("leadstream", "", 8, 1)
    assert chosen.retention_events == timedelta(days=7)
    assert chosen.retention_stage_changes == timedelta(days=30)
    assert chosen.retention_dead_letters == timedelta(days=14)
    assert (chosen.session_timeout, chosen.checkpoint) == (timedelta(seconds=10), timedelta(seconds=1))
    assert (chosen.advertised, chosen.collector_port, chosen.ip_retention) == ("127.0.0.1:6066", 8080, "truncate")
    assert chosen.client()["security_protocol"] == "PLAINTEXT"
    assert chosen.faust_credentials() is None
    assert chosen.min_insync_replicas == 1


@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_an_ipv6_address_stands_in_brackets_wherever_a_port_follows(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    _set(monkeypatch, WEB_HOST=host, COLLECTOR_HOST=host)
    chosen = load()

    assert (chosen.advertised, chosen.member_url) == ("[::1]:6066", "http://[::1]:6066")
    assert (chosen.web_url, chosen.collector_url) == ("http://[::1]:6066", "http://[::1]:8080")
    assert (URL(chosen.member_url).host, URL(chosen.member_url).port) == ("::1", 6066), "as Faust reads it"


def test_a_dotenv_file_is_read_and_the_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("LEADSTREAM_APP=from-file\nLEADSTREAM_PARTITIONS=3\n")
    _set(monkeypatch, APP="from-environment")

    assert (load().app, load().partitions) == ("from-environment", 3)


def test_a_dotenv_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"LEADSTREAM_APP=caf\xe9\n")
    with pytest.raises(UsageError, match=r"\.env is not UTF-8 \(.* at byte 18\): save it as UTF-8"):
        load()


def test_a_dotenv_file_that_may_not_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("LEADSTREAM_APP=x\n")

    def refused(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", ".env")

    monkeypatch.setattr("dotenv.parser.parse_stream", refused)  # root may read what nobody may
    with pytest.raises(UsageError, match=r"\.env: Permission denied: make it readable"):
        load()


def test_a_dotenv_file_is_taken_without_replacing_anything(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(
        b"\xef\xbb\xbfLEADSTREAM_APP=first\r\n# LEADSTREAM_PARTITIONS: 4\r\nHOST\r\nLEADSTREAM_KAFKA_PASSWORD=pa${ss}w$HOME\r\n"
        b"export LEADSTREAM_TOPIC_PREFIX='a-' # as an editor of Windows writes it\r\nOTHER: 5\r\n"
    )
    chosen = load()
    assert (chosen.app, chosen.partitions, chosen.kafka_password, chosen.topic_prefix) == ("first", 8, "pa${ss}w$HOME", "a-")


@pytest.mark.parametrize(
    "line", ["LEADSTREAM_PARTITIONS: 4", "LEADSTREAM_PARTITIONS", "leadstream_partitions 4", "LEADSTREAM_APP='x"]
)
def test_a_line_of_the_dotenv_file_that_gives_nothing_is_told_and_not_shown(line: str, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"LEADSTREAM_APP=x\n\n{line}\nLEADSTREAM_REPLICATION=1\n")
    with pytest.raises(UsageError, match=r"\.env, line 3: no NAME=VALUE: write LEADSTREAM_… with a = and what it is to be$"):
        load()


def test_lists_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, KAFKA="127.0.0.1:1, localhost:2", MMDB="a.mmdb,b.mmdb", CORS_ORIGINS="https://a.example")

    assert load().kafka == ("127.0.0.1:1", "localhost:2")
    assert load().mmdb == (Path("a.mmdb"), Path("b.mmdb"))
    assert load().cors_origins == ("https://a.example",)


def test_empty_means_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, RULESET="", INSTANCE="", MMDB="", PHONE_REGION="")

    assert (load().ruleset, load().instance, load().mmdb, load().phone_region) == (None, None, (), None)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        pytest.param("KAFKA", "kafka", "LEADSTREAM_KAFKA is 'kafka': 'kafka' is not host:port", id="no port"),
        pytest.param("KAFKA", "h:0", "LEADSTREAM_KAFKA is 'h:0': 'h:0' is not host:port", id="port 0"),
        pytest.param("KAFKA", "", "LEADSTREAM_KAFKA is '': give host:port", id="no host"),
        pytest.param("KAFKA", "kafka:9092", "plaintext is refused off loopback", id="plaintext elsewhere"),
        pytest.param(
            "PARTITION", "3", "unknown setting LEADSTREAM_PARTITION: did you mean LEADSTREAM_PARTITIONS?", id="misspelt"
        ),
        pytest.param("XYZZY", "3", "unknown setting LEADSTREAM_XYZZY: `leadstream worker --help`", id="unheard of"),
        pytest.param("PARTITIONS", "no", "LEADSTREAM_PARTITIONS is 'no'", id="no number"),
        pytest.param("CHECKPOINT", "1 s", "give a duration like 90s, 15m, 2h or 14d", id="no duration"),
        pytest.param("SESSION_TIMEOUT", "30d", "SESSION_TIMEOUT is 30d: give 1s to 24d, and what your Kafka's", id="a month"),
        pytest.param("SESSION_TIMEOUT", "100ms", "SESSION_TIMEOUT is 100ms: give 1s to 24d", id="no time for a heartbeat"),
        pytest.param("CHECKPOINT", "0s", "LEADSTREAM_CHECKPOINT is '0s'", id="no time at all"),
        pytest.param("IP_RETENTION", "forever", "LEADSTREAM_IP_RETENTION is 'forever'", id="no such choice"),
        pytest.param("WEB_HOST", "0.0.0.0", "set WEB_TOKEN or WEB_PROXY_HEADER", id="open pages"),
        pytest.param("KAFKA_SECURITY", "sasl_ssl", "set KAFKA_USERNAME and KAFKA_PASSWORD", id="SASL without user"),
        pytest.param("KAFKA_CERT", "c.pem", "KAFKA_CERT and KAFKA_KEY go together", id="certificate without key"),
        pytest.param("TOPIC_PREFIX", "a b", "LEADSTREAM_TOPIC_PREFIX is 'a b'", id="no topic name"),
        pytest.param("WEB_TOKEN", "s3cret\n", "settings: WEB_TOKEN holds the end of a line", id="a token with its line's end"),
        pytest.param("WEB_TOKEN", "\udcff", "settings: WEB_TOKEN holds", id="a token that is no UTF-8"),
        pytest.param(
            "WEB_ADVERTISE",
            "http://127.0.0.1:6066",
            "LEADSTREAM_WEB_ADVERTISE is 'http://127.0.0.1:6066': that is not host:port: write it like worker-1:6066",
            id="a URL where others find a worker",
        ),
        pytest.param("WEB_ADVERTISE", "127.0.0.1", "'127.0.0.1': that is not host:port", id="a worker without a port"),
        pytest.param("WEB_ADVERTISE", "a b", "'a b': that is not host:port", id="no place of a worker"),
        pytest.param("WEB_ADVERTISE", "::1:6066", "or [2001:db8::1]:6066", id="an IPv6 address without brackets"),
        pytest.param("WEB_ADVERTISE", "[worker]:6066", "that is not host:port", id="brackets without an IPv6 address"),
        pytest.param("WEB_ADVERTISE", "worker:0", "that is not host:port", id="others find a worker at no port"),
        pytest.param("WEB_ADVERTISE", "worker:65536", "that is not host:port", id="a port beyond the last one"),
        pytest.param("WEB_ADVERTISE", "a..b:6066", "that is not host:port", id="a name that no host can have"),
        pytest.param(
            "WORKER_URL",
            "worker:6066",
            "LEADSTREAM_WORKER_URL is 'worker:6066': that is no address: write it like http://127.0.0.1:6066",
            id="a worker without http",
        ),
        pytest.param("WORKER_URL", "foo", "'foo': that is no address", id="no URL"),
        pytest.param("WORKER_URL", "ftp://x", "'ftp://x': that is no address", id="a worker speaks http"),
        pytest.param("WORKER_URL", "http://", "'http://': that is no address", id="a URL without a host"),
        pytest.param("WEB_PROXY_HEADER", "X User", "WEB_PROXY_HEADER is 'X User'", id="no header's name"),
        pytest.param(
            "PHONE_REGION",
            "Germany",
            "LEADSTREAM_PHONE_REGION is 'Germany': that is no region: give the two",
            id="no country code",
        ),
        pytest.param("PHONE_REGION", "UK", "'UK': that is no region: did you mean GB", id="no region, which lost every number"),
        pytest.param("PHONE_REGION", "XX", "'XX': that is no region: give the two capitals", id="nobody's region"),
        pytest.param("PHONE_REGION", "de", "did you mean DE", id="a region in small letters"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(name: str, value: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, **{name: value})

    with pytest.raises(UsageError) as caught:
        load()

    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("place", ["worker_1:6066", "10.0.0.7:1", "[2001:db8::1]:65535", "[fe80::1%eth0]:80"])
def test_where_others_find_a_worker_is_host_and_port(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, WEB_ADVERTISE=place)

    assert load().member_url == f"http://{place}"
    assert URL(load().member_url).port == int(place.rpartition(":")[2]), "as Faust reads it"


@pytest.mark.parametrize("url", ["http://worker:6066", "https://[::1]/behind/a/proxy", ""])
def test_where_the_collector_asks_is_a_url(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, WORKER_URL=url, WEB_ADVERTISE="")

    assert (load().worker_url, load().web_advertise) == (url or None, None)


def test_a_misspelt_name_in_the_file_is_told_too(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("LEADSTREAM_KAFKAS=127.0.0.1:9092\n")

    with pytest.raises(UsageError, match="did you mean LEADSTREAM_KAFKA"):
        load()


def test_a_password_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, KAFKA_SECURITY="sasl_plaintext", KAFKA_USERNAME="u", KAFKA_PASSWORD="secret")

    assert "secret" not in repr(load())


def test_a_password_in_an_address_that_is_none_is_not_shown_either(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, WORKER_URL="worker:6066/u:s3cret@x")

    with pytest.raises(UsageError, match=r"^LEADSTREAM_WORKER_URL is …: that is no address"):
        load()


def test_plaintext_elsewhere_can_be_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, KAFKA="kafka:9092", KAFKA_PLAINTEXT="anywhere")

    assert load().kafka == ("kafka:9092",)


def test_tls_and_sasl_reach_both_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(
        monkeypatch,
        KAFKA="kafka:9093",
        KAFKA_SECURITY="SASL_SSL",
        KAFKA_USERNAME="u",
        KAFKA_PASSWORD="p",
        KAFKA_MECHANISM="scram-sha-512",
    )

    client = load().client()

    assert client["security_protocol"] == "SASL_SSL"
    assert client["ssl_context"].check_hostname
    assert (client["sasl_mechanism"], client["sasl_plain_username"], client["sasl_plain_password"]) == (
        "SCRAM-SHA-512",
        "u",
        "p",
    )
    assert load().faust_credentials().mechanism.value == "SCRAM-SHA-512"


def test_tls_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, KAFKA="kafka:9093", KAFKA_SECURITY="ssl")

    assert load().faust_credentials().context.check_hostname


def test_certificate_files_that_cannot_be_read_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, KAFKA_SECURITY="ssl", KAFKA_CA="/nowhere/ca.pem")

    with pytest.raises(UsageError, match=r"/nowhere/ca\.pem.*readable PEM"):
        load().client()


def test_three_copies_mean_that_two_must_have_a_record(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, REPLICATION="3")

    assert load().min_insync_replicas == 2


@pytest.mark.parametrize("text", ["90s", "15m", "2h", "14d", "250ms"])
def test_a_duration_is_written_as_it_was_read(text: str) -> None:
    assert format_duration(parse_duration(text)) == text


@pytest.mark.parametrize("text", ["", "1", "s", "-1s", "1w", "1h30m", None, 3])
def test_no_duration(text: object) -> None:
    with pytest.raises(ValueError, match="give a duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("localhost", True), ("127.0.0.1", True), ("127.9.9.9", True), ("[::1]", True), ("::1", True),
     ("0.0.0.0", False), ("10.0.0.1", False), ("localhost.example.com", False), ("kafka", False)],
)  # fmt: skip
def test_loopback_is_what_can_only_mean_this_machine(host: str, loopback: bool) -> None:  # noqa: FBT001
    assert is_loopback(host) is loopback


def test_every_setting_is_listed_with_default_and_description() -> None:
    listed = {name: (default, text) for name, default, text in rows()}

    assert listed["LEADSTREAM_RETENTION_EVENTS"][0] == "7d"
    assert listed["LEADSTREAM_KAFKA"][0] == "127.0.0.1:9092"
    assert listed["LEADSTREAM_MMDB"][0] == "none"
    assert all(text for _, text in listed.values())
    assert len(table().splitlines()) == len(settings.Settings.model_fields)


def test_the_regions_are_those_that_telephone_numbers_are_read_by() -> None:
    assert phonenumbers.SUPPORTED_REGIONS == REGIONS


def test_each_region_may_be_chosen() -> None:
    assert {region(name) for name in REGIONS} == REGIONS
