"""Write keys: what a file of keys says, what it may not say, and how another one comes into force."""

import hashlib
from pathlib import Path

import pytest

from stream.collector.key_file import read_text
from stream.collector.origins import Origins, is_local
from stream.collector.request import Refused
from stream.collector.write_keys import ANY_NAME, WriteKeys, load
from stream.domain.ruleset.mistakes import RulesetError
from stream.errors import UsageError
from stream.settings import Settings

FILE = """
[keys.web-4f1c]
name = "website"
origins = ["https://www.example.com", "https://*.example.org"]
types = ["page", "track"]
rate = 200
consent = "required"
purposes = ["Analytics"]

[keys."crm/7"]
trust = "server"
consent = "ignored"
"""
NAME_OF_A_SECRET = f"server-{hashlib.sha256(b'crm/7').hexdigest()[:8]}"


@pytest.fixture
def keys(tmp_path: Path) -> WriteKeys:
    return load(Settings(write_keys=written(tmp_path, FILE), cors_origins=("https://shop.example",)))


def written(folder: Path, text: str) -> Path:
    path = folder / "keys.toml"
    path.write_text(text)
    return path


def test_a_key_has_the_rules_of_its_table_and_defaults_for_the_rest(keys: WriteKeys) -> None:
    web, crm = keys.find("web-4f1c"), keys.find("crm/7")
    assert (web.name, web.rate, web.burst, web.consent, web.trust) == ("website", 200, 2000, "required", "browser")
    assert (web.types, web.purposes) == (frozenset({"page", "track"}), frozenset({"analytics"}))
    assert (crm.name, crm.rate, crm.consent, crm.trust) == (NAME_OF_A_SECRET, 0, "ignored", "server")
    assert len(crm.types) == 6
    (other,) = read_text(b"[keys.other]\ntrust = 'browser'", "keys.toml").values()
    assert other.name == "other"


def test_a_file_of_keys_that_nests_too_deep_is_told_with_its_line() -> None:
    with pytest.raises(RulesetError, match=r"^keys\.toml:3: keys\.a\.origins\[1\].*at most 32 deep$"):
        read_text(b"\n[keys.a]\norigins = " + b"[" * 300 + b"]" * 300, "keys.toml")


@pytest.mark.parametrize("told", [None, "", "web-4f1", "WEB-4F1C", "website"])
def test_an_unknown_key_is_refused_and_so_is_none(keys: WriteKeys, told: str | None) -> None:
    with pytest.raises(Refused) as refused:
        keys.find(told)
    assert (refused.value.status, refused.value.reason) == (401, "write_key")


@pytest.mark.parametrize(
    ("origin", "may"),
    [
        (None, True),  # a server
        ("", True),  # a browser that does not say
        ("https://www.example.com", True),
        ("https://a.example.org", True),
        ("https://a.b.example.org", True),
        ("https://example.org", False),
        ("https://evilexample.org", False),
        ("https://evil.example/.example.org", False),
        ("http://www.example.com", False),
        ("https://www.example.com:8443", False),
        ("https://shop.example", False),
        ("null", False),
    ],
)
def test_only_listed_pages_may_use_a_key(keys: WriteKeys, origin: str | None, *, may: bool) -> None:
    if may:
        keys.find("web-4f1c").check(origin)
        return
    with pytest.raises(Refused) as refused:
        keys.find("web-4f1c").check(origin)
    assert (refused.value.status, refused.value.reason) == (403, "origin")


def test_a_key_without_origins_has_those_of_the_setting(tmp_path: Path) -> None:
    keys = load(Settings(write_keys=written(tmp_path, "[keys.a]\n"), cors_origins=("https://shop.example",)))
    keys.find("a").check("https://shop.example")
    with pytest.raises(Refused):
        keys.find("a").check("https://www.example.com")


def test_a_servers_key_in_any_page_is_a_leaked_secret(keys: WriteKeys) -> None:
    keys.find("crm/7").check(None)
    for origin in ("https://shop.example", "null", ""):
        with pytest.raises(Refused, match="server's"):
            keys.find("crm/7").check(origin)


def test_a_key_refuses_types_that_are_not_its_own_and_leaves_rubbish_to_the_judge(keys: WriteKeys) -> None:
    key = keys.find("web-4f1c")
    assert key.refuses({"type": "page"}) is None
    assert key.refuses({"type": "identify"}) == "the write key takes no identify events"
    assert key.refuses({"type": "rubbish"}) is None
    assert key.refuses({}) is None


def test_without_a_file_every_key_is_good_on_loopback_only() -> None:
    keys = load(Settings())
    assert keys.is_open
    assert keys.find(None) is keys.find("anything")
    assert keys.find(None).name == ANY_NAME
    with pytest.raises(UsageError, match=r"off loopback.*WRITE_KEYS.*ANY_WRITE_KEY=anywhere"):
        load(Settings(collector_host="0.0.0.0"))
    assert load(Settings(collector_host="0.0.0.0", any_write_key="anywhere")).is_open


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("", "keys.toml:1: keys: is missing"),
        ("[keys.a\n", "keys.toml:1: TOML: "),
        ("[keys.a]\norigin = []\n", "keys.toml:2: keys.a.origin: unknown key (did you mean origins?)"),
        (
            "[keys.a]\n\norigins = ['https://a.example/path']\n",
            "keys.toml:3: keys.a.origins[1]: 'https://a.example/path' is no origin",
        ),
        ("[keys.a]\norigins = ['*']\n", "is no origin"),
        ("[keys.a]\ntypes = ['page', 'click']\n", "keys.toml:2: keys.a.types[2]: one of track, page"),
        ("[keys.a]\nrate = 0\n", "keys.toml:2: keys.a.rate: a finite number from 0.001"),
        ("[keys.a]\nrate = '5/s'\n", "keys.toml:2: keys.a.rate: a finite number"),
        ("[keys.a]\nburst = 5\n", "keys.toml:2: keys.a.burst: rate beside it"),
        ("[keys.a]\nconsent = 'require'\n", "keys.a.consent: one of required, assumed, ignored (did you mean required?)"),
        ("[keys.a]\ntrust = 'me'\n", "keys.a.trust: one of browser, server"),
        ("[keys.a]\ntrust = 'server'\norigins = ['https://a.example']\n", "keys.toml:3: keys.a.origins: nothing"),
        ("[keys.a]\nsecret = 'short'\n", "keys.a.secret: at least 16 characters"),
        ("[keys.a]\nname = 'x'\n[keys.b]\nname = 'x'\n", "keys.toml:4: keys.b.name: another name: a is called that already"),
        ("[keys.'']\n", "a key of 1 to 256 printable characters"),
        ("keys = 5\n", "keys.toml:1: keys: a table"),
    ],
)
def test_every_mistake_is_told_with_its_line_and_key(text: str, mistake: str) -> None:
    with pytest.raises(RulesetError) as error:
        read_text(text.encode(), "keys.toml")
    assert mistake in str(error.value)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        load(Settings(write_keys=written(tmp_path, "[keys.a]\nrate = -1\nconsent = 'x'\n")))
    assert str(error.value).count("keys.toml:") == 2
    with pytest.raises(UsageError, match=r"WRITE_KEYS is .*nowhere\.toml: No such file"):
        load(Settings(write_keys=tmp_path / "nowhere.toml"))
    with pytest.raises(UsageError, match="CORS_ORIGINS: 'www' is no origin"):
        load(Settings(cors_origins=("www",)))


def test_another_file_comes_into_force_and_a_wrong_one_does_not(tmp_path: Path, keys: WriteKeys) -> None:
    path = tmp_path / "keys.toml"
    assert not keys.reload()
    path.write_text("[keys.new]\n")
    assert keys.reload()
    assert keys.version == 1
    assert keys.find("new").name == "new"
    with pytest.raises(Refused):
        keys.find("web-4f1c")
    path.write_text("[keys.worse]\nrate = 'fast'\n")
    assert not keys.reload()
    assert keys.find("new").name == "new"
    path.unlink()
    assert not keys.reload()
    assert keys.find("new").name == "new"


def test_a_secret_is_not_shown() -> None:
    keys = read_text(b"[keys.a]\nsecret = '0123456789abcdef'\n", "keys.toml")
    assert "0123456789abcdef" not in repr(keys["a"])


@pytest.mark.parametrize("origin", ["http://localhost:3000", "http://127.0.0.1", "http://[::1]:8080"])
def test_a_page_of_this_machine_is_local(origin: str) -> None:
    assert is_local(origin)


def test_default_ports_are_the_same_origin() -> None:
    assert Origins.of(["https://a.example:443"]).lists("https://a.example")
    assert Origins.of(["https://*.a.example:8443"]).lists("https://b.a.example:8443")
    with pytest.raises(ValueError, match="is no origin"):
        Origins.of(["https://a.example:70000"])
