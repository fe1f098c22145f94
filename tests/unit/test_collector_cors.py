"""CORS: what a page of another host is told, before and with its events."""

from pathlib import Path

import pytest

from stream.collector.cors import Cors
from stream.collector.request import Headers, Refused
from stream.collector.write_keys import load
from stream.settings import Settings

PAGE = "https://www.example.com"


def told(headers: Headers) -> dict[str, str]:
    return {name.decode().removeprefix("access-control-"): value.decode() for name, value in headers}


def of(tmp_path: Path, keys: str | None = None, *origins: str) -> Cors:
    path = None
    if keys is not None:
        path = tmp_path / "keys.toml"
        path.write_text(keys)
    return Cors(load(Settings(write_keys=path, cors_origins=origins)))


def test_a_listed_page_is_echoed_with_cookies_and_may_read_when_to_come_again(tmp_path: Path) -> None:
    cors = of(tmp_path, None, PAGE)
    assert told(cors.headers(PAGE)) == {
        "allow-origin": PAGE,
        "allow-credentials": "true",
        "expose-headers": "Retry-After",
        "vary": "Origin",
    }


def test_a_page_that_is_not_listed_is_told_nothing_but_caches_are(tmp_path: Path) -> None:
    cors = of(tmp_path, None, PAGE)
    for origin in (
        "https://evil.example",
        "https://www.example.com.evil.example",
        "http://www.example.com",
        "null",
        None,
        "a\r\nb: c",
    ):
        assert told(cors.headers(origin)) == {"vary": "Origin"}
    with pytest.raises(Refused) as refused:
        cors.preflight("https://evil.example", "POST", None)
    assert refused.value.status == 403


def test_without_any_list_every_page_may_but_only_this_machines_with_cookies(tmp_path: Path) -> None:
    cors = of(tmp_path)
    assert told(cors.headers(PAGE)) == {"allow-origin": PAGE, "expose-headers": "Retry-After", "vary": "Origin"}
    assert told(cors.headers("http://localhost:3000"))["allow-credentials"] == "true"


@pytest.mark.parametrize(
    "asked",
    [
        "authorization",
        "authorization,x-retry-count",
        "content-type,x-write-key",
        "anonymousid,authorization,content-type,rsa-retry-attempt,rsa-retry-reason,sentat",
    ],
)
def test_a_preflight_mirrors_whatever_headers_are_asked_for(tmp_path: Path, asked: str) -> None:
    answer = told(of(tmp_path, None, PAGE).preflight(PAGE, "POST", asked))
    assert answer == {
        "allow-origin": PAGE,
        "allow-credentials": "true",
        "allow-methods": "GET, POST, OPTIONS",
        "allow-headers": asked,
        "max-age": "900",
        "vary": "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
    }
    assert "allow-headers" not in told(of(tmp_path, None, PAGE).preflight(PAGE, "POST", None))


@pytest.mark.parametrize(
    ("method", "asked"), [("DELETE", None), (None, None), ("POST", "a\r\nset-cookie: b"), ("POST", "x" * 2000)]
)
def test_a_preflight_for_anything_else_is_refused(tmp_path: Path, method: str | None, asked: str | None) -> None:
    with pytest.raises(Refused):
        of(tmp_path, None, PAGE).preflight(PAGE, method, asked)


def test_a_preflight_names_no_key_so_the_pages_of_all_keys_pass_it(tmp_path: Path) -> None:
    cors = of(
        tmp_path, f"[keys.a]\norigins = ['{PAGE}']\n[keys.b]\norigins = ['https://b.example']\n[keys.c]\ntrust = 'server'\n"
    )
    assert told(cors.headers(PAGE))["allow-origin"] == PAGE
    assert told(cors.headers("https://b.example"))["allow-origin"] == "https://b.example"
    assert "allow-origin" not in told(cors.headers("https://c.example"))


def test_a_key_that_lists_no_page_is_for_all_and_cookies_only_for_those_that_are_listed(tmp_path: Path) -> None:
    cors = of(tmp_path, f"[keys.a]\norigins = ['{PAGE}']\n[keys.b]\n")
    assert "allow-credentials" in told(cors.headers(PAGE))
    assert told(cors.headers("https://b.example")) == {
        "allow-origin": "https://b.example",
        "expose-headers": "Retry-After",
        "vary": "Origin",
    }


def test_other_keys_in_force_change_what_pages_are_told(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    path.write_text(f"[keys.a]\norigins = ['{PAGE}']\n")
    keys = load(Settings(write_keys=path))
    cors = Cors(keys)
    assert "allow-origin" in told(cors.headers(PAGE))
    path.write_text("[keys.a]\norigins = ['https://new.example']\n")
    assert keys.reload()
    assert "allow-origin" not in told(cors.headers(PAGE))
    assert "allow-origin" in told(cors.headers("https://new.example"))


def test_what_is_remembered_of_origins_is_bounded(tmp_path: Path) -> None:
    cors = of(tmp_path)
    for number in range(5000):
        cors.headers(f"https://{number}.example")
    assert len(cors._known) <= 1024
