"""`simulate`: lines in, documents and facts out, the same rules as the worker's."""

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner

from stream.cli.screen import Screen
from stream.cli.simulate import simulate as command
from stream.cli.simulated import SHOWN, show, told
from stream.domain.documents import TooEarly
from stream.domain.ids import lead_id
from stream.domain.instants import write
from stream.errors import UsageError
from stream.intake import Intake
from stream.lookups import Lookups
from stream.simulation import Simulation, simulate
from tests.told import BEHAVIOURS, DAY, HOUR, LADDER, LEAD_1, SECOND, START, rules

GOLDEN = """
[where.product]
match = { url = "*/product*" }
weight = 1.0
[where.wechat]
match = { channel = "wechat" }
weight = 0.8
[behaviours.tried]
match = { event = "Tried" }
weight = 1.0
[behaviours.saved]
match = { event = "Saved" }
weight = 0.8
[tags.customer-acquisition]
match = { event = "Tried" }
[tags.content-marketing]
match = { event = "Saved" }
retention = { after = "7d", keep = 0.7 }
"""
Lines = list[bytes]
Simulate = Callable[..., dict[str, Any]]


def line(t: int | None, **more: Any) -> bytes:
    when = {} if t is None else {"timestamp": write(t)}
    return orjson.dumps({"type": "track", "event": "Asked", **when, **more})


@pytest.fixture(scope="module")
def lookups() -> Lookups:
    return Lookups()


@pytest.fixture
def run(lookups: Lookups) -> Simulate:
    def run_it(*lines: bytes, text: str = BEHAVIOURS + LADDER, at: int | None = None) -> dict[str, Any]:
        ruleset = rules(text)
        stages = {"visitor", *(stage.name for stage in ruleset.stages)}
        document: dict[str, Any] = orjson.loads(orjson.dumps(simulate(lines, ruleset, Intake(lookups, None, stages), at)))
        return document

    return run_it


def test_the_golden_cases_end_to_end(run: Simulate) -> None:
    document = run(
        line(
            START - 7 * DAY,
            event="Saved",
            anonymousId="a",
            context={"channel": "wechat", "page": {"url": "https://mp.example/s/1"}},
        ),
        line(START, event="Tried", anonymousId="a", context={"page": {"url": "https://shop.example/product/crm"}}),
        text=GOLDEN + LADDER,
    )

    tags = {tag["tag"]: tag["weight"] for tag in document["visitors"][0]["tags"]}
    assert tags["customer-acquisition"] == pytest.approx(1.0, abs=1e-9)
    assert tags["content-marketing"] == pytest.approx(0.448, abs=1e-9)
    assert [tag["tag"] for tag in document["visitors"][0]["tags"]] == ["customer-acquisition", "content-marketing"]


def test_a_late_line_is_worth_what_it_would_have_been_on_time(run: Simulate) -> None:
    on_time = [line(START, anonymousId="a"), line(START + DAY, anonymousId="a", event="Met")]
    late = line(START, anonymousId="a", receivedAt=write(START + DAY))

    ordered, disordered = run(*on_time), run(on_time[1], late)

    assert disordered["visitors"][0]["interest"] == pytest.approx(ordered["visitors"][0]["interest"], rel=1e-9)


def test_a_device_becomes_a_lead_with_its_past(run: Simulate) -> None:
    document = run(line(START, anonymousId="a"), line(START + HOUR, type="identify", event="", userId="1", anonymousId="a"))

    assert [visitor["lead"] for visitor in document["visitors"]] == [LEAD_1, LEAD_1]
    assert [lead["members"] for lead in document["leads"]] == [["anon::a", "user::1"]]
    moves = [(f["data"]["stage"]["to"]["name"], f["data"]["reason"]["code"]) for f in document["stageChanges"]]
    assert moves == [("lead", "threshold_up"), ("mql", "merge")]


def test_what_an_event_says_anonymously_and_then_identified(run: Simulate) -> None:
    document = run(line(START, anonymousId="a"), line(START, userId="1"))

    assert [(v["id"], v["lead"]) for v in document["visitors"]] == [("anon::a", None), ("user::1", LEAD_1)]


def test_a_device_that_is_shared_belongs_to_no_lead(run: Simulate) -> None:
    document = run(
        line(START, userId="1", anonymousId="a"), line(START, userId="2", anonymousId="a"), line(START, anonymousId="a")
    )

    assert [(v["id"], v["lead"]) for v in document["visitors"]] == [
        ("anon::a", None), ("user::1", LEAD_1), ("user::2", lead_id("user::2")),
    ]  # fmt: skip


def test_two_devices_without_a_name_are_no_lead(run: Simulate) -> None:
    document = run(line(START, anonymousId="a", context={"externalIds": [{"type": "weibo", "id": "w"}]}))

    assert ([v["lead"] for v in document["visitors"]], document["leads"]) == ([None], [])


def test_a_visitor_woken_before_it_did_anything_is_not_shown(run: Simulate) -> None:
    assert [v["id"] for v in run(line(START, userId="1", anonymousId="a"))["visitors"]] == ["user::1"]


def test_dead_letters_name_line_and_reason(run: Simulate) -> None:
    document = run(
        b"\r\n", line(None, anonymousId="a"), b"[]\n", line(START, anonymousId="a"), line(START), line(None, anonymousId="a")
    )

    assert [(one["line"], one["reason"]) for one in document["deadLetters"]] == [
        (1, "not_json"), (2, "bad_timestamp"), (3, "not_an_object"), (5, "no_identity"),
    ]  # fmt: skip
    assert document["visitors"][0]["events"] == 2
    assert document["visitors"][0]["lastSeen"] == write(START)


def test_an_echo_and_a_repeat_change_nothing(run: Simulate) -> None:
    first = line(START, userId="1", messageId="m")
    echo = line(
        START, userId="9", event="Lead Stage Changed", properties={"stage": "customer", "changedBy": "leadstream"}, messageId="e"
    )

    document = run(first, first, echo)

    assert [v["events"] for v in document["visitors"]] == [1]
    assert len(document["stageChanges"]) == 1


def test_the_end_does_what_is_due_until_then_and_shows_all_as_of_it(run: Simulate) -> None:
    document = run(line(START, userId="1"), line(START + HOUR, userId="2", event="Met"), at=START + 20 * DAY)

    assert [f["data"]["stage"]["to"]["name"] for f in document["stageChanges"]] == ["mql", "lead", "lead"]
    assert [f["data"]["freshness"]["offset"] for f in document["stageChanges"]] == [1, 2, 2]
    assert {one["asOf"] for one in (*document["leads"], *document["visitors"])} == {write(START + 20 * DAY)}
    assert [lead["id"] for lead in document["leads"]] == sorted(lead["id"] for lead in document["leads"])


def test_by_default_the_end_is_the_largest_receive_time(run: Simulate) -> None:
    document = run(line(START + HOUR, anonymousId="a"), line(START, anonymousId="b"))

    assert {one["asOf"] for one in document["visitors"]} == {write(START + HOUR)}


def test_facts_are_ordered_by_time_subject_sequence(run: Simulate) -> None:
    document = run(*(line(START + n % 3 * SECOND, userId=f"u{n}") for n in range(9)), at=START + 30 * DAY)

    keys = [(f["time"], f["subject"], f["sequence"]) for f in document["stageChanges"]]
    assert keys == sorted(keys)
    assert len(keys) == 18


def test_an_end_before_the_clock_is_refused(run: Simulate) -> None:
    with pytest.raises(TooEarly, match=r"is before asOf 2026-01-05T00:00:00\.000Z"):
        run(line(START, anonymousId="a"), at=START - 1)


def test_nothing_in_is_nothing_out(run: Simulate) -> None:
    assert run() == {"visitors": [], "leads": [], "stageChanges": [], "deadLetters": []}


def test_the_same_input_gives_the_same_bytes(lookups: Lookups) -> None:
    lines = [line(START + n * HOUR, userId=str(n % 3), anonymousId=f"a{n % 4}") for n in range(30)]

    def once() -> bytes:
        simulation = Simulation(rules(), Intake(lookups))
        for one in lines:
            simulation.feed(one)
        return orjson.dumps(simulation.finish())

    assert once() == once()


# -- the command


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("events.ndjson").write_bytes(line(START, userId="1") + b"\n" + line(START + HOUR, anonymousId="a") + b"\n")
    Path("rules.toml").write_text(BEHAVIOURS + LADDER)
    Path("bad.toml").write_text("[decay]\nmax_tags = 0\n[crm]\nhold = 'x'\n")
    return tmp_path


def call(*words: str, stdin: bytes | None = None) -> tuple[int, str, str]:
    result = CliRunner().invoke(command, list(words), input=stdin)
    if isinstance(result.exception, UsageError):  # the group, which is not here, prints it
        return UsageError.exit_code, result.stdout, f"{result.exception}\n"
    return result.exit_code, result.stdout, result.stderr


def test_json_is_one_document_and_nothing_else(files: Path) -> None:
    code, out, err = call("events.ndjson", "--ruleset", "rules.toml", "--json")

    assert (code, err) == (0, "")
    assert out.count("\n") == 1
    document = json.loads(out)
    assert list(document) == ["visitors", "leads", "stageChanges", "deadLetters"]
    assert document["leads"][0]["stage"]["name"] == "mql"


def test_without_json_a_person_can_read_it(files: Path) -> None:
    code, out, _ = call("events.ndjson", "--ruleset", "rules.toml")

    assert code == 0
    assert "2 visitors, 1 leads, 1 facts, 0 dead letters" in out
    assert LEAD_1[:8] in out


def test_several_files_and_standard_input_are_one_log(files: Path) -> None:
    words = ("events.ndjson", "-", "--ruleset", "rules.toml", "--json")
    code, out, _ = call(*words, stdin=line(START + DAY, anonymousId="b") + b"\nnonsense\n")

    document = json.loads(out)
    assert code == 0
    assert len(document["visitors"]) == 3
    assert document["deadLetters"][0]["line"] == 4
    assert document["leads"][0]["asOf"] == write(START + DAY)


def test_the_shipped_ruleset_is_the_default(files: Path) -> None:
    code, out, _ = call("events.ndjson", "--json")

    assert (code, json.loads(out)["leads"][0]["ruleset"]["id"]) == (0, "b2b-default")


def test_as_of_a_later_instant(files: Path) -> None:
    code, out, _ = call("events.ndjson", "--ruleset", "rules.toml", "--json", "--at", "2026-02-05T00:00:00Z")

    assert code == 0
    assert [f["data"]["stage"]["to"]["name"] for f in json.loads(out)["stageChanges"]] == ["mql", "lead"]


def test_ranges_name_the_company(files: Path) -> None:
    Path("ranges.csv").write_text("network,name,domain,kind,size\n192.0.2.0/24,Acme,acme.example,,big\n")
    Path("events.ndjson").write_bytes(line(START, userId="1", context={"ip": "192.0.2.7"}) + b"\n")

    code, out, _ = call("events.ndjson", "--ruleset", "rules.toml", "--ranges", "ranges.csv", "--json")

    document = json.loads(out)
    assert (code, document["visitors"][0]["company"]["size"]) == (0, "big")
    assert document["leads"][0]["account"]["id"] == "account::acme.example"


def test_every_mistake_of_a_ruleset_is_a_line_of_its_own(files: Path) -> None:
    code, out, err = call("events.ndjson", "--ruleset", "bad.toml")

    first, second = err.splitlines()
    assert (code, out) == (2, "")
    assert first == "bad.toml:2: decay.max_tags: a whole number from 1 to 1000"
    assert second.startswith("bad.toml:4: crm.hold: a duration")


@pytest.mark.parametrize(
    ("words", "told_in_it"),
    [
        pytest.param(("missing.ndjson",), "missing.ndjson: No such file", id="no such events"),
        pytest.param((".",), ".: Is a directory", id="a folder of events"),
        pytest.param(("events.ndjson", "--ruleset", "missing.toml"), "missing.toml: No such file", id="no such ruleset"),
        pytest.param(("events.ndjson", "--ranges", "missing.csv"), "missing.csv", id="no such ranges"),
        pytest.param(("events.ndjson", "--at", "yesterday"), "--at 'yesterday' is no instant", id="no instant"),
        pytest.param(("events.ndjson", "--at", "2026-01-04T00:00:00Z"), "asOf 2026-01-05T01:00:00.000Z", id="before asOf"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_2(words: tuple[str, ...], told_in_it: str, files: Path) -> None:
    code, out, err = call(*words)

    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert told_in_it in err


# -- what a person reads


@pytest.mark.parametrize(
    ("type_", "data", "expected"),
    [
        pytest.param("lead.merged.v1", {"into": "lead_1"}, ("merged", "into lead_1"), id="merged"),
        pytest.param(
            "identity.conflict.v1", {"code": "class_a", "ids": ["user::1", "user::2"]},
            ("conflict", "class_a: user::1 and user::2 stay apart"), id="conflict",
        ),
        pytest.param("lead.erased.v1", {}, ("lead.erased.v1", ""), id="what a later version tells"),
    ],
)  # fmt: skip
def test_facts_in_words(type_: str, data: dict[str, Any], expected: tuple[str, str]) -> None:
    assert told({"type": type_, "data": data}) == expected


def test_long_tables_are_cut_and_say_so(run: Simulate) -> None:
    context = {"ip": "192.0.2.7", "traits": {"email": "x@acme.example"}}
    lines = [line(START + n, userId=f"u{n}", context=context) for n in range(SHOWN + 5)] + [b"nonsense"]
    console = Screen(width=200)
    with console.capture() as captured:
        show(run(*lines), console)

    assert f"({SHOWN} of {SHOWN + 5}; --json has all)" in captured.get()
    assert "not_json" in captured.get()


LONG = "anon::0687587883fab020-5d1c-4c0e-9f0b-b4b278e6cc804061"


@pytest.mark.parametrize("width", [20, 40, 80, 120])
@pytest.mark.parametrize("terminal", [False, True])
def test_ids_and_instants_are_shown_whole_whatever_the_width(run: Simulate, width: int, *, terminal: bool) -> None:
    context = {"ip": "192.0.2.7", "traits": {"email": "x@acme.example"}}
    document = run(line(START, userId="1", context=context), line(START, anonymousId=LONG.removeprefix("anon::")))
    written = StringIO()
    show(document, Screen(width=width, file=written, force_terminal=terminal, color_system=None))
    rows = [row.split() for row in written.getvalue().splitlines()]
    (lead,) = document["leads"]

    assert [lead["id"] in row for row in rows].count(True) == len(document["stageChanges"]) + 1
    assert any(row[:2] == [document["stageChanges"][0]["time"], lead["id"]] for row in rows)
    assert any(row[:1] == [LONG] for row in rows)
    if terminal and width >= 80:
        assert all(len(row) <= width for row in written.getvalue().splitlines())


def test_where_no_terminal_reads_each_row_is_one_line_with_all_columns(run: Simulate) -> None:
    written = StringIO()
    document = run(line(START, userId="1"), line(START + DAY, userId="1"))
    show(document, Screen(width=20, file=written))

    assert all(" ".join(told(fact)[1].split()) in written.getvalue() for fact in document["stageChanges"])
    (names,) = (row.split() for row in written.getvalue().splitlines() if row.startswith("lead ") and "total" in row)
    assert names == ["lead", "stage", "total", "fit", "interest", "timing", "grade", "route", "account", "next", "if", "idle"]


def test_a_narrow_terminal_says_that_columns_are_left_out(run: Simulate) -> None:
    written = StringIO()
    show(run(line(START, userId="1")), Screen(width=60, file=written, force_terminal=True, color_system=None))

    assert "Leads, some columns: --json has all" in written.getvalue()


def test_what_a_cookie_told_at_the_same_ms_before_the_line_that_names_its_user_was_told_before_it(run: Simulate) -> None:
    before = line(START, event="Read", anonymousId="d", context={"traits": {"title": "OLD"}})
    named = line(START, type="identify", userId="1", anonymousId="d", traits={"title": "NEW"})
    changes = run(before, named, line(START + 1, userId="1"))["stageChanges"]
    assert [change["data"]["lead"]["traits"] for change in changes] == [{"title": "NEW"}, {"title": "NEW"}]
