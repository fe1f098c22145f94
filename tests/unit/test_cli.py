"""The command as a whole: help, mistakes, exit codes."""

import subprocess
import sys
from pathlib import Path

import click
import pytest

from stream import cli
from stream.errors import NegativeAnswerError, UnreachableError, UsageError


def _run(*words: str, capfd: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        cli.main(list(words))
    assert isinstance(ended.value.code, int)
    return ended.value.code, *capfd.readouterr()


def test_help_lists_every_command_that_is_there(capfd: pytest.CaptureFixture[str]) -> None:
    code, out, err = _run("--help", capfd=capfd)

    assert (code, err) == (0, "")
    assert "Usage: leadstream" in out
    for name in ("broker", "topics", "worker", "send", "deadletters"):
        assert f"\n  {name} " in out
    assert "3 Kafka not reachable" in out


def test_help_imports_no_command() -> None:
    code = "import sys, stream.cli as c; c.main(['--help'], standalone_mode=False)"
    code = f"import sys, atexit; atexit.register(lambda: print([m for m in sys.modules if m in {{'faust', 'aiokafka', 'rich', 'pydantic'}}], file=sys.stderr)); {code}"  # noqa: E501
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stderr.strip() == "[]"


def test_a_worker_that_is_killed_is_not_kept_back_by_what_others_import() -> None:
    ours = ("stream.collector", "stream.outbound", "stream.demo", "stream.ahead")
    others = (*ours, "structlog", "opentelemetry", "uvicorn", "rich")
    code = f"import sys, stream.cli.worker, stream.app; print([m for m in sys.modules if m.startswith({others})])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_a_worker_reads_its_rows_before_it_reads_what_it_may_never_need() -> None:
    late = ("aiohttp", "croniter", "yaml")
    code = f"import sys; from stream.cli import worker; worker._import_faust(); print([n for n in {late} if n in sys.modules])"
    code += "; import stream.app; print('aiohttp' in sys.modules)"
    code += "; import aiohttp.web, croniter; print(hasattr(aiohttp.ClientSession, 'get') and callable(croniter.croniter))"
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert told.stdout.split() == ["[]", "False", "True"]


@pytest.mark.parametrize(
    "words",
    [("visitor", "anon::\udcff"), ("visitor", "x" * 5000 + "\udcff"), ("link", "user::1", "user::2", "--reason=\udcff")],
    ids=["an id", "longer than any file's name", "a reason"],
)
def test_a_word_that_is_no_utf8_is_refused_before_anything_else(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["leadstream", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert "udcff' is not UTF-8" in capfd.readouterr().err


@pytest.mark.parametrize("name", ["events\udcff.ndjson", "week=\udcff.ndjson"])
def test_a_file_may_be_called_as_its_system_likes(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b'{"type": "page", "anonymousId": "c1", "receivedAt": "2026-11-22T10:00:00Z"}\n')
    done = subprocess.run([sys.executable, "-m", "stream", "simulate", str(path), "--json"], check=True, capture_output=True)
    assert b"anon::c1" in done.stdout


@pytest.mark.parametrize("name", cli.main.list_commands(click.Context(cli.main)))
def test_every_command_explains_itself(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    code, out, _ = _run(name, "--help", capfd=capfd)
    assert "\\b" not in out, "the mark that keeps the lines of examples is no text"

    assert code == 0
    assert out.startswith(f"Usage: leadstream {name}")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("nope",), "leadstream: No such command 'nope'"),
        (("topics", "--nope"), "leadstream: No such option"),
        (("send",), "leadstream: Missing argument 'FILE...'"),
        (("send", "/nowhere"), "leadstream: /nowhere is no file"),
        (("topics", "--adopt", "--check"), "leadstream: --check only compares, --adopt changes"),
        (("deadletters", "show", "x"), "leadstream: x is no place of a dead letter"),
        (("deadletters", "list", "--since", "x"), "leadstream: --since x: give an instant"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_usage_is_one_line_and_exit_2(words: tuple[str, ...], told: str, capfd: pytest.CaptureFixture[str]) -> None:
    code, out, err = _run(*words, capfd=capfd)

    assert (code, out) == (2, "")
    assert err.startswith(told)
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "code"), [(NegativeAnswerError("a\nb"), 1), (UsageError("a\nb"), 2), (UnreachableError("a\nb"), 3)]
)
def test_an_error_is_one_line_and_its_exit_code(
    error: Exception, code: int, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(cli.LazyGroup, "get_command", fail)

    assert _run("topics", capfd=capfd) == (code, "", "leadstream: a b\n")
