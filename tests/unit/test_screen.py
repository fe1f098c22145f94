"""What strangers wrote reaches a terminal as text: no markup of rich's, no control characters."""

from io import StringIO
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner
from rich.table import Table

from stream.cli import account, deadletters, lead, main, report_reach, simulated, visitor
from stream.cli.letters import Letter
from stream.cli.screen import Screen, plain
from stream.domain.reach import Met, Reach
from tests.unit.test_cli_lookups import people

NASTY = "[/x]\x1b]0;me\x07\x9b31m\u202e[red]:smile:\x7f"
SEEN = "[/x]␛]0;me␇�31m�[red]:smile:␡"


@pytest.mark.parametrize("code", [*range(0x20), 0x7F, *range(0x80, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)])
def test_a_control_character_is_one_that_is_seen(code: int) -> None:
    shown = plain(f"a{chr(code)}b")
    assert len(shown) == 3
    assert shown == f"a{chr(code)}b" if chr(code) in "\n\t" else shown[1].isprintable()


def test_other_characters_stay() -> None:
    text = "Ångström & Söhne GmbH\t株式会社 🛢 ل\u200c\u00a0[x]\n"
    assert plain(text) == text


def printed(what: Any, **how: Any) -> str:
    written = StringIO()
    Screen(width=200, file=written, force_terminal=True, color_system=None, **how).print(what)
    return written.getvalue()


@pytest.mark.parametrize("part", ["cell", "header", "title", "line"])
def test_every_part_of_a_table_shows_it(part: str) -> None:
    table = Table(NASTY if part == "header" else "name", title=NASTY if part == "title" else "", min_width=60)
    table.add_row(NASTY if part == "cell" else "value")
    text = printed(NASTY if part == "line" else table)
    assert SEEN in text
    assert not {"\x1b", "\x07", "\x9b", "\u202e", "\x7f"} & set(text)


def test_who_escapes_names_may_use_markup_and_still_sends_no_control_character() -> None:
    assert printed("[bold]a\x1b[/]", markup=True) == "a␛\n"


def shown(module: Any, document: dict[str, Any]) -> str:
    written = StringIO()
    module.show(document, Screen(width=200, file=written))
    return written.getvalue()


def test_simulate_shows_who_a_stranger_says_to_be(tmp_path: Path) -> None:
    file = tmp_path / "events.ndjson"
    event = {"type": "page", "anonymousId": NASTY, "timestamp": "2026-11-22T10:00:00Z"}
    file.write_bytes(orjson.dumps(event) + b"\n" + orjson.dumps({**event, "type": NASTY}) + b"\n")
    done = CliRunner().invoke(main, ["simulate", str(file)], env={"COLUMNS": "300"})
    assert done.exit_code == 0, done.exception
    assert f"anon::{SEEN}" in done.stdout
    assert not set(NASTY) & set(done.stdout) & {"\x1b", "\x07", "\x9b", "\u202e", "\x7f"}


def test_simulate_says_what_takes_an_access_log(tmp_path: Path) -> None:
    file = tmp_path / "access.log"
    file.write_text('198.51.100.7 - - [22/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "Mozilla"\n')
    done = CliRunner().invoke(main, ["simulate", "--json", str(file)])
    assert (done.exit_code, [one["reason"] for one in orjson.loads(done.stdout)["deadLetters"]]) == (0, ["not_json"])
    assert "an access log goes to `demo` or `send --format combined`" in done.stderr


def test_an_account_is_shown_by_the_name_a_stranger_gave_it() -> None:
    document = people(2) | {"id": f"account:group:{NASTY}", "name": NASTY, "committee": {NASTY: [NASTY]}}
    assert shown(account, document).count(SEEN) == 4


def test_a_visitor_and_a_lead_are_shown_by_what_a_stranger_called_them() -> None:
    tags = [{"tag": NASTY, "weight": 1.0}]
    told: dict[str, Any] = {"id": NASTY, "tags": tags, "explain": [{"ruleId": NASTY, "count": 1, "points": 1.0}], "asOf": "now"}
    seen = {"lead": None, "company": None, "events": 1, "firstSeen": "a", "lastSeen": "b", "bot": False, "interest": 1.0}
    assert shown(visitor, told | seen).count(SEEN) == 3
    stage = {"name": "mql", "order": 2, "enteredAt": None, "owner": "us"}
    score = {"total": 1.0, "fit": 0.0, "interest": 1.0, "timing": 0.0, "grade": "C"}
    known = {"members": [NASTY], "account": None, "stage": stage, "score": score, "journey": None, "route": None, "owner": None}
    ends: dict[str, Any] = {"nextCrossingAt": None, "outcomes": {"won": None, "lost": None, "orders": {"currencies": {}}}}
    assert shown(lead, told | known | ends | {"ruleset": {"id": "b2b", "hash": "0"}}).count(SEEN) == 4


def test_a_list_of_companies_is_called_as_the_ranges_file_says(capsys: pytest.CaptureFixture[str]) -> None:
    met = Met("account::a", NASTY, "a.example", "visitor", 0, 1.0, 0, 1)
    report_reach._show({"[/oil]": Reach([met], ["[/b]"])}, Reach([], []))
    out = capsys.readouterr().out
    assert "\x1b" not in out
    for told in ("[/oil]", SEEN, "not seen: [/b]"):
        assert told in out


def letter() -> Letter:
    headers = {f"leadstream-{name}": NASTY.encode() for name in ("reason", "message")}
    return Letter("dead-letters:0:1", 1_795_341_600_000, NASTY.encode(), NASTY.encode(), headers)


@pytest.mark.parametrize("words", [["list"], ["show", "dead-letters:0:1"], ["show"]], ids=" ".join)
def test_dead_letters_are_read_not_obeyed(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.cli.deadletters.letters", lambda *_: None)
    monkeypatch.setattr("stream.cli.deadletters.run", lambda _: [letter()])
    done = CliRunner().invoke(deadletters.deadletters, words)
    assert done.exit_code == 0, done.exception
    assert "␛]0;me␇" in done.stdout
    assert not {"\x1b", "\x07", "\x9b", "\u202e", "\x7f"} & set(done.stdout)
    told = CliRunner().invoke(deadletters.deadletters, [*words, "--json"]).stdout
    assert orjson.dumps(NASTY).decode() in told, "JSON is as it was"


def test_simulated_facts_of_all_kinds_are_text() -> None:
    fact = {"time": "t", "subject": NASTY, "type": NASTY, "data": {}}
    assert SEEN in shown(simulated, {"stageChanges": [fact], "leads": [], "visitors": [], "deadLetters": []})


def test_a_rulesets_name_is_one_line_whatever_it_holds() -> None:
    told: dict[str, Any] = {
        "id": "lead_1", "members": ["user::1"], "account": None, "journey": None, "route": None, "owner": None,
        "stage": {"name": "mql", "order": 2, "enteredAt": None, "owner": None}, "nextCrossingAt": None, "tags": [], "explain": [],
        "score": {"total": 1.0, "fit": 0.0, "interest": 1.0, "timing": 0.0, "grade": "A"}, "asOf": "now",
        "outcomes": {"won": None, "lost": None, "orders": {"currencies": {}}}, "ruleset": {"id": "acme\n2026", "hash": "5e88"},
    }  # fmt: skip
    assert "acme 2026 (5e88)" in shown(lead, told)
