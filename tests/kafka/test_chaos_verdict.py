"""The verdict of the chaos suite can fail: each kind of damage, done to a copy of good logs, is seen."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.brokers import Record
from tests.chaos.cluster import Clusters
from tests.chaos.logs import Copy
from tests.chaos.run import Run
from tests.chaos.schedule import Schedule
from tests.chaos.verdict import judge

EVENTS = 1500
CALM = Schedule("verdict", workers=1, brokers=1, static=False, drag_s=0.0)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """Let one worker read a few events undisturbed."""
    folder = tmp_path_factory.mktemp("verdict")
    clusters = Clusters(folder)
    run = Run(CALM, EVENTS, folder / "run", 6.0, clusters.of(1))
    try:
        wrong = run.play().wrong
    finally:
        clusters.stop()
    assert wrong == ["no blow hit work in flight: the schedule proves nothing"]
    assert run.copy is not None
    return run.copy


def changed_most(records: list[Record]) -> list[Record]:
    """Return the records of the key that has the most different values, the table's own aside."""
    found: dict[bytes, list[Record]] = defaultdict(list)
    for record in records:
        if not (record.key or b"").startswith(b"\x00"):
            found[record.key or b""].append(record)
    return max(found.values(), key=lambda some: len({record.value for record in some}))


def lose_a_fact(copy: Copy) -> None:
    del copy.topics["stage-changes"][len(copy.topics["stage-changes"]) // 2]


def say_another_thing(copy: Copy) -> None:
    first = copy.topics["stage-changes"][0]
    copy.topics["stage-changes"].append(replace(first, value=(first.value or b"").replace(b'":', b'": ', 1)))


def lose_a_dead_letter(copy: Copy) -> None:
    copy.topics["dead-letters"].pop()


def refuse_a_good_event(copy: Copy) -> None:
    letter = copy.topics["dead-letters"][0]
    copy.topics["dead-letters"].append(replace(letter, headers=letter.headers | {"leadstream-offset": b"999999"}))


def write_where_nothing_must_be(copy: Copy) -> None:
    copy.topics["members"].append(copy.topics["events"][0])


def lose_a_member(copy: Copy) -> None:
    told = [record for record in copy.topics["members"] if record.key and b"lead_" in (record.value or b"")]
    copy.topics["members"].remove(told[len(told) // 2])


def lose_a_row_of_accounts(copy: Copy) -> None:
    rows = copy.topics[f"{copy.app}-accounts-changelog"]
    key = changed_most(rows)[-1].key
    copy.topics[f"{copy.app}-accounts-changelog"] = [row for row in rows if row.key != key]


def lose_a_fact_of_an_account(copy: Copy) -> None:
    copy.topics["account-changes"].pop()


def lose_an_event_before_it_came(copy: Copy) -> None:
    copy.sent += 1


def lose_the_newest_row(copy: Copy) -> None:
    rows = copy.topics[f"{copy.app}-visitors-changelog"]
    newest = changed_most(rows)[-1]
    copy.topics[f"{copy.app}-visitors-changelog"] = [row for row in rows if row.value != newest.value]


def lose_a_row_of_people(copy: Copy) -> None:
    rows = copy.topics[f"{copy.app}-people-changelog"]
    key = changed_most(rows)[-1].key
    copy.topics[f"{copy.app}-people-changelog"] = [row for row in rows if row.key != key]


def bury_the_newest_state(copy: Copy) -> None:
    copy.topics["lead-states"].append(changed_most(copy.topics["lead-states"])[0])


def commit_too_little(copy: Copy) -> None:
    copy.committed["events"] = {partition: at - 1 for partition, at in copy.committed["events"].items()}


@pytest.mark.kafka
def test_good_logs_are_right_and_leads_alone_are_among_them(good: Copy) -> None:
    verdict = judge(good)
    assert verdict.wrong == []
    assert verdict.alone > 0
    assert verdict.repeated == 0


@pytest.mark.kafka
@pytest.mark.parametrize(
    "damage",
    [
        lose_a_fact, say_another_thing, lose_a_dead_letter, refuse_a_good_event, write_where_nothing_must_be,
        lose_a_member, lose_a_row_of_accounts, lose_a_fact_of_an_account,
        lose_an_event_before_it_came, lose_the_newest_row, lose_a_row_of_people, bury_the_newest_state, commit_too_little,
    ],
)  # fmt: skip
def test_damage_is_seen(good: Copy, damage: Callable[[Copy], None]) -> None:
    copy = replace(good, topics={name: list(records) for name, records in good.topics.items()}, committed=dict(good.committed))
    damage(copy)
    assert judge(copy).wrong != []
