"""`leadstream visitor` and `lead`: any worker is asked, the answer is shown with what it sums from."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import StringIO
from threading import Thread
from typing import Any

import click
import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import unused_port
from click.testing import CliRunner, Result

from stream.cli import account
from stream.cli import visitor as visitor_page
from stream.cli.export import export
from stream.cli.lead import lead
from stream.cli.screen import Screen
from stream.cli.visitor import visitor
from stream.domain.accounts import document
from stream.domain.accounts.fold import Accounts
from stream.domain.ids import lead_id
from stream.domain.log import Member, Members, encode
from stream.domain.ruleset.load import load
from stream.errors import CommandError, NegativeAnswerError, UnreachableError, UsageError
from stream.rulesets import default_text
from stream.settings import Settings
from stream.web import client
from stream.web.opening import Opening
from stream.web.paging import pages
from stream.web.service import Web
from tests.unit.standing_worker import StandingWorker, buyer

LEAD = lead_id("user::42")
TOKEN = "s3cret"


@pytest.fixture
async def port(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    """A worker's pages behind a token, where the settings say they are."""
    number = unused_port()
    monkeypatch.setenv("LEADSTREAM_WEB_PORT", str(number))
    monkeypatch.setenv("LEADSTREAM_WEB_TOKEN", TOKEN)
    runner = web.AppRunner(Web(StandingWorker(buyer(), web_port=number, web_token=TOKEN)).application())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", number).start()
    yield number
    await runner.cleanup()


async def call(command: click.Command, *words: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, command, words)


async def test_a_lead_is_shown_with_its_stage_and_the_ledger(port: int) -> None:
    text = (await call(lead, "email::buyer@acme.example")).stdout
    for expected in (LEAD, "anon::9f2c", "acme.example (account::acme.example", "mql (step 2)", "behaviours.attended-meeting"):
        assert expected in text
    assert "Why" in text
    assert "█" in text


async def test_a_visitor_is_shown_with_tags_and_the_ledger(port: int) -> None:
    text = (await call(visitor, "anon::9f2c")).stdout
    for expected in ("anon::9f2c", LEAD, "pricing", "█", "behaviours.viewed-price"):
        assert expected in text
    stranger = (await call(visitor, "anon::stranger")).stdout
    assert "nobody identified" in stranger


def test_a_visitor_whose_newest_event_is_a_robots_is_not_said_to_score_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    seen = {"id": "anon::a", "lead": None, "company": None, "events": 2, "firstSeen": "a", "lastSeen": "b", "asOf": "b"}
    for bot, told in ((True, "bot       the newest event is a robot's, and such score nothing"), (False, "")):
        visitor_page.show({**seen, "bot": bot, "interest": 46.0, "tags": [], "explain": []}, Screen(width=120))
        rows = capsys.readouterr().out.splitlines()
        assert [row.rstrip() for row in rows if row.startswith("bot")] == [told] * bot
        assert any(row.split() == ["interest", "46.00"] for row in rows)


def shown(told: dict[str, Any]) -> str:
    console = Screen(width=120, record=True, file=StringIO())
    account.show(told, console)
    return console.export_text()


def people(count: int) -> dict[str, Any]:
    """The document of an account with so many leads, of whom one decides."""
    fold = Accounts({}, "leadstream", load(default_text()))
    for number in range(count):
        told = Member(f"lead_{number:04}", number + 1, lead=True, interest={1e12: 90.0}, base=1)
        fold.apply(number, encode(Members("account::acme.example", 1, [told])))
    return document.account(fold, "account::acme.example", 1) or {}


def test_an_account_of_thousands_shows_some_of_its_people_and_how_many_more_there_are() -> None:
    few, many = shown(people(20)), shown(people(1_234))
    for number in range(20):
        assert f"lead_{number:04}" in few
        assert f"lead_{number:04}" in many
    assert "more" not in few
    assert "lead_0020" not in many
    assert "and 1,214 more (--json has them)" in many


async def test_json_is_one_document_and_nothing_else(port: int) -> None:
    told = orjson.loads((await call(lead, LEAD, "--json")).stdout)
    assert told["id"] == LEAD
    told = orjson.loads((await call(visitor, "anon::9f2c", "--json", "--at", "2027-01-01T00:00:00+00:00")).stdout)
    assert told["asOf"] == "2027-01-01T00:00:00.000Z"


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (["anon::nobody"], NegativeAnswerError),
        (["9f2c"], UsageError),
        (["user::42", "--at", "soon"], UsageError),
        (["user::42", "--at", "2001-01-01T00:00:00Z"], UsageError),
        (["user::42", "--url", "nowhere"], UsageError),
        (["user::42", "--url", "http://127.0.0.1:abc"], UsageError),
        (["user::42", "--url", "http://127.0.0.1:66000"], UsageError),
        (["user::42", "--url", "http://[::1"], UsageError),
        (["user::42", "--url", "http://exa mple"], UsageError),
        (["user::42", "--url", "http://exa\nmple"], UsageError),
        (["user::42", "--url", "http://."], UsageError),
        (["user::42", "--url", "http://127.0.0.1/ä"], UsageError),
        (["user::42", "--url", "file:///etc"], UsageError),
        (["user::42", "--url", "http://127.0.0.1:1"], UnreachableError),
    ],
)
@pytest.mark.parametrize("command", [lead, visitor], ids=["lead", "visitor"])
async def test_what_fails_is_one_line_and_its_exit_code(
    port: int, command: click.Command, words: list[str], kind: type[CommandError]
) -> None:
    done = await call(command, *words)
    assert type(done.exception) is kind, done.exception
    assert done.stdout == ""


async def test_a_wrong_token_says_what_to_set(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADSTREAM_WEB_TOKEN", "wrong")
    done = await call(lead, LEAD)
    assert isinstance(done.exception, UsageError)
    assert "LEADSTREAM_WEB_TOKEN" in str(done.exception)


@contextmanager
def answering(*answers: tuple[int, bytes], app: str | None = None) -> Iterator[str]:
    """Serve these answers in turn, the last one for ever; `app`: as a worker of that installation."""
    left = list(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = left.pop(0) if len(left) > 1 else left[0]
            self.send_response(status)
            if app is not None:
                self.send_header("Leadstream-App", app)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_worker_that_is_restoring_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "AGAIN_S", 0.0)
    with answering((503, b'{"error": "restoring"}'), (200, b'{"id": "user::42"}')) as url:
        done = CliRunner().invoke(lead, ["user::42", "--json", "--url", url])
    assert orjson.loads(done.stdout) == {"id": "user::42"}


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ((503, b'{"error": "restoring"}'), "restoring"),
        ((500, b'{"error": "met a bug"}'), "met a bug"),
        ((502, b"<html>"), "is no leadstream worker"),
        ((200, b"<html>"), "no worker answers"),
        ((200, b"[]"), "no worker answers"),
    ],
)
def test_no_answer_to_be_had_ends_with_3(monkeypatch: pytest.MonkeyPatch, answer: tuple[int, bytes], says: str) -> None:
    monkeypatch.setattr(client, "PATIENCE_S", 0.2)
    monkeypatch.setattr(client, "AGAIN_S", 0.05)
    with answering(answer) as url:
        done = CliRunner().invoke(lead, ["user::42", "--url", url])
    assert isinstance(done.exception, UnreachableError)
    assert says in str(done.exception)


LOOKUPS = [(lead, "user::42"), (visitor, "user::42"), (account.account, "account::acme.example"), (export, "user::42")]
of_each_lookup = pytest.mark.parametrize(("command", "id_"), LOOKUPS, ids=["lead", "visitor", "account", "export"])
STRANGERS = [
    (404, b"<html>Nothing matches the given URI."),
    (404, b'{"success":false,"reason":"path","error":"nothing is at /v1/leads"}'),
    (404, b'{"error": "not found"}'),
    (401, b"<html>sign in"),
    (403, b"{}"),
]


@pytest.mark.parametrize("stranger", STRANGERS, ids=["a file server", "a collector", "an API", "a proxy", "an API's no"])
@of_each_lookup
def test_what_is_no_worker_says_nothing_of_anybody(command: click.Command, id_: str, stranger: tuple[int, bytes]) -> None:
    with answering(stranger) as url:
        done = CliRunner().invoke(command, [id_, "--url", url])
    assert isinstance(done.exception, UnreachableError), done.exception
    assert f"no worker answers at {url} (it answers {stranger[0]}, and is no leadstream worker)" in str(done.exception)
    assert done.stdout == ""


def test_what_is_no_worker_has_no_accounts_to_report_and_no_word_to_tell() -> None:
    with answering(STRANGERS[0]) as url:
        with pytest.raises(UnreachableError, match="is no leadstream worker"):
            list(pages(Settings(), "accounts", url))
        with pytest.raises(UnreachableError, match="is no leadstream worker"):
            client.word_of(Settings(), "0" * 32, url)


@of_each_lookup
def test_who_forgot_the_workers_token_is_told_what_to_set(command: click.Command, id_: str) -> None:
    with answering((401, b'{"error": "sign in: send `Authorization: Bearer` and so on"}')) as url:
        done = CliRunner().invoke(command, [id_, "--url", url])
    assert isinstance(done.exception, UsageError), done.exception
    to_do = f"for a command set LEADSTREAM_WEB_TOKEN to that of the worker at {url} (compose: local)"
    assert str(done.exception) == f"sign in: send `Authorization: Bearer` and so on; {to_do}"


@of_each_lookup
def test_a_workers_404_is_a_negative_answer(command: click.Command, id_: str) -> None:
    with answering((404, b'{"error": "nobody of that id"}'), app="another") as url:
        done = CliRunner().invoke(command, [id_, "--url", url])
    assert isinstance(done.exception, NegativeAnswerError), done.exception


@of_each_lookup
async def test_a_wrong_path_of_a_worker_is_no_negative_answer(port: int, command: click.Command, id_: str) -> None:
    done = await call(command, id_, "--url", f"http://127.0.0.1:{port}/v1")
    assert isinstance(done.exception, UnreachableError), done.exception


@contextmanager
def saying(words: bytes) -> Iterator[str]:
    """Listen, say these words to one who connects, and hang up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def say() -> None:
            with server.accept()[0] as caller:
                caller.recv(65536)
                caller.sendall(words)

        thread = Thread(target=say)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        thread.join()


@pytest.mark.parametrize(
    "words",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}",
        b"HTTP/1.1 500 Oh\r\nContent-Length: 99\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200,
    ],
    ids=["another protocol", "nothing", "half an answer", "half an error", "too many headers"],
)
def test_what_is_no_worker_is_told(words: bytes) -> None:
    with saying(words) as url:
        done = CliRunner().invoke(lead, ["user::42", "--url", url])
    assert isinstance(done.exception, UnreachableError), done.exception
    assert f"no worker answers at {url} (" in str(done.exception)


async def test_a_token_of_any_letters_opens_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    number, token = unused_port(), "pässwort-€"
    monkeypatch.setenv("LEADSTREAM_WEB_PORT", str(number))
    monkeypatch.setenv("LEADSTREAM_WEB_TOKEN", token)
    async with Opening(StandingWorker(buyer(), web_port=number, web_token=token)):
        assert (await call(lead, LEAD)).exit_code == 0
