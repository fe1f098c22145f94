"""Erasure through both agents: who is gone, what stays refused, and what woken workers cannot bring back."""

import json
from typing import Any

import pytest
from faust.types import TP

from stream.agents.erasing import ERASE, told
from stream.agents.headers import RESYNC
from stream.domain import words
from stream.domain.ids import lead_id
from stream.domain.log import Erasing, Linking, Members, Resync, Tick, Unlinking, Unreadable, decode, encode
from stream.runtime.producer import partition_of
from tests.crashing import PARTITIONS, World, tags_of
from tests.told import DAY, HOUR

USER, COOKIE, MAIL, OTHER = "user::canary-1", "anon::canary-c", "email::canary@acme.example", "user::2"
LEAD = lead_id(USER)


@pytest.fixture
async def world() -> World:
    made = World()
    made.happen(COOKIE)
    made.happen(USER, COOKIE, MAIL)
    made.happen(OTHER)
    made.drain()
    return made


def decided(world: World, word: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(words.told(world.worker.people.log, word) or "{}")
    return found


def facts(world: World, lead: str = LEAD) -> list[tuple[str, str]]:
    told = [json.loads(record.value) for record in world.kafka.all("stage-changes")]
    return [(fact["sequence"], fact["type"]) for fact in told if fact["subject"] == lead]


def members(world: World, lead: str) -> list[str]:
    person = world.worker.people.rows.person(lead)
    return [] if person is None else person.members


def state_of(world: World, node: str) -> Any:
    identity = world.worker.people.rows.identity(node)
    return None if identity is None else identity.state


@pytest.mark.parametrize("named", [USER, COOKIE, MAIL, LEAD, f"lead::{LEAD}"])
async def test_whichever_id_is_named_the_whole_person_goes_and_the_crm_is_told(world: World, named: str) -> None:
    word = world.erase(named)
    world.settle()
    assert decided(world, word) == {
        "done": True, "text": f"{LEAD} is erased, with 4 ids; 2 visitors gone; the CRM is told by lead.erased.v1",
        "lead": LEAD, "identities": 4, "visitors": 2,
    }  # fmt: skip
    assert facts(world) == [("0000000001", "lead.stage_changed.v1"), ("0000000002", "lead.erased.v1")]
    assert [r.value for r in world.kafka.all("lead-states") if r.key == LEAD.encode()][-1] is None
    assert b"canary" not in world.compacted()
    assert world.worker.people.rows.identity(OTHER) is not None


async def test_a_visitor_that_is_nobodys_goes_alone(world: World) -> None:
    world.happen("anon::canary-x")
    word = world.erase("anon::canary-x")
    world.settle()
    assert decided(world, word) | {"text": ""} == {"done": True, "text": "", "lead": None, "identities": 1, "visitors": 1}
    assert b"canary-x" not in world.compacted()
    assert world.tags(USER)


async def test_who_is_unknown_is_said_to_be_and_refused_from_then_on(world: World) -> None:
    word = world.erase("anon::never")
    world.drain()
    world.happen("anon::never", ago_ms=HOUR)
    world.settle()
    assert not decided(world, word)["done"]
    assert len(world.letters()) == 1
    word = world.erase("lead_0123456789abcdef")
    world.settle()
    assert decided(world, word) == {"done": False, "text": "no lead of this id: nothing is erased"}


async def test_nothing_is_decided_before_the_clock_runs() -> None:
    world = World()
    world.kafka.logs.clear()
    world.happen(USER)
    world.kafka.append("people", 0, None, encode(Erasing("w", USER, b"s" * 16)))
    world.settle()
    assert not decided(world, "w")["done"]
    assert world.tags(USER)


async def test_a_late_event_is_a_dead_letter_that_says_nothing_of_whom_it_is_about(world: World) -> None:
    world.erase(USER)
    world.drain()
    world.happen(USER, ago_ms=DAY)
    world.happen(COOKIE, USER, ago_ms=DAY)
    world.settle()
    assert [(r.key, r.value) for r in world.letters()] == [(None, None)] * 2
    letter = dict(world.letters()[0].headers)
    assert letter["leadstream-reason"] == b"erased"
    assert letter["leadstream-stage"] == b"apply"
    assert b"canary" not in b"".join(letter.values())
    assert b"canary" not in world.compacted()


async def test_what_comes_later_starts_a_new_visitor_and_the_lead_is_numbered_on(world: World) -> None:
    world.erase(USER)
    world.drain()
    message = world.happen(USER)
    world.settle()
    assert world.tags(USER) == {message}
    assert tags_of(state_of(world, USER)) == {message}
    assert facts(world)[-1] == ("0000000003", "lead.stage_changed.v1")
    assert state_of(world, COOKIE) is None
    assert members(world, LEAD) == [USER]


async def test_a_repeat_of_what_was_erased_stays_a_duplicate(world: World) -> None:
    message = world.happen(USER)
    world.drain()
    world.erase(USER)
    world.drain()
    world.happen(USER, message=message)
    world.settle()
    assert world.tags(USER) == set()
    assert world.letters() == []


async def test_who_is_erased_twice_is_gone_twice(world: World) -> None:
    world.erase(USER)
    world.drain()
    world.happen(USER, COOKIE)
    world.drain()
    word = world.erase(COOKIE)
    world.settle()
    assert decided(world, word)["lead"] == LEAD
    assert [number for number, type_ in facts(world) if type_ == "lead.erased.v1"] == ["0000000002", "0000000004"]
    assert b"canary" not in world.compacted()


async def test_a_snapshot_that_was_on_its_way_brings_nothing_back(world: World) -> None:
    world.happen(USER)
    for partition in (0, 1):
        world.worker.read("events", partition, 100)
    late = list(world.kafka.all("people"))[-1]
    world.erase(USER)
    world.drain()
    world.kafka.append("people", 0, None, late.value)
    world.settle()
    assert world.worker.people.rows.identity(USER) is None
    assert b"canary" not in world.compacted()


async def test_a_link_that_was_made_before_does_not_count(world: World) -> None:
    world.erase(COOKIE)
    world.drain()
    world.happen(OTHER, COOKIE, ago_ms=DAY)
    world.settle()
    assert members(world, lead_id(OTHER)) == [OTHER]
    world.happen(OTHER, COOKIE)
    world.settle()
    assert members(world, lead_id(OTHER)) == [OTHER, COOKIE]
    assert world.tags(COOKIE) == set()


async def test_of_an_events_links_only_those_to_whom_was_erased_since_do_not_count(world: World) -> None:
    world.erase(COOKIE)
    world.drain()
    world.happen(OTHER, COOKIE, "weibo::w", ago_ms=DAY)
    world.settle()
    assert members(world, lead_id(OTHER)) == [OTHER, "weibo::w"]
    row = world.worker.part(partition_of(OTHER.encode(), PARTITIONS)).get(OTHER.encode())
    assert row is not None
    assert set(row.links or ()) == {"weibo::w"}


async def test_a_late_wake_is_remembered_and_not_answered(world: World) -> None:
    wakes = [(tp, record) for tp, log in world.kafka.logs.items() if tp.topic == "wakes" for record in log]
    world.erase(COOKIE)
    world.drain()
    before = len(world.kafka.all("people"))
    for tp, record in wakes:
        world.kafka.append(tp.topic, tp.partition, record.key, record.value, record.headers)
    world.drain()
    assert len(world.kafka.all("people")) == before
    message = world.happen(COOKIE)
    world.settle()
    assert tags_of(state_of(world, COOKIE)) == {message}


async def test_a_device_of_several_people_forgets_whom_it_named(world: World) -> None:
    kiosk = "anon::kiosk"
    world.happen(OTHER, kiosk)
    world.happen("user::3", kiosk)
    world.drain()
    page = world.happen(kiosk)
    world.happen(kiosk, type="identify", traits={"email": "canary@acme.example", "name": "Canary"})
    world.drain()
    world.worker.checkpoint()
    identity = world.worker.people.rows.identity(kiosk)
    assert identity is not None
    assert identity.shared
    assert b"Canary" in world.compacted()
    world.erase(USER)
    world.settle()
    assert b"canary" not in world.compacted().lower()
    assert world.tags(kiosk) == {page}


async def test_a_shared_device_leaves_whom_it_gave_its_past_to_alone(world: World) -> None:
    kiosk = "anon::canary-kiosk"
    world.happen(OTHER, kiosk)
    world.happen(USER, kiosk)
    world.drain()
    world.erase(kiosk)
    world.settle()
    assert members(world, lead_id(OTHER)) == [OTHER]
    assert b"canary-kiosk" not in world.compacted()
    told = [json.loads(r.value) for r in world.kafka.all("lead-states") if r.key == lead_id(OTHER).encode()]
    assert [(state["data"]["stage"]["direction"], state["data"]["reason"]["code"]) for state in told][1:] == [("same", "unmerge")]


@pytest.mark.parametrize("rows", range(8))
async def test_a_crash_in_the_middle_of_the_checkpoint_changes_nothing(world: World, rows: int) -> None:
    message = world.happen(USER)
    world.drain()
    world.worker.checkpoint()
    world.erase(USER)
    world.drain()
    world.crash(rows)
    world.happen(USER, message=message)
    world.settle()
    assert b"canary" not in world.compacted()
    assert len({number for number, _ in facts(world)}) == 2


async def test_a_woken_worker_brings_no_row_back(world: World) -> None:
    world.freeze()
    world.drain()
    world.worker.checkpoint()
    world.erase(USER)
    world.drain()
    world.worker.checkpoint()
    world.wake_zombies()
    world.settle()
    assert b"canary" not in world.compacted()
    world.happen(USER, ago_ms=DAY)
    world.settle()
    assert world.tags(USER) == set()


async def test_a_worker_woken_with_an_erasure_to_write_takes_no_new_life_away(world: World) -> None:
    world.worker.checkpoint()
    world.erase(USER)
    world.drain()
    world.freeze()
    world.drain()
    message = world.happen(USER)
    world.drain()
    world.worker.checkpoint()
    world.wake_zombies()
    world.settle()
    assert world.tags(USER) == {message}
    assert tags_of(state_of(world, USER)) == {message}


async def test_something_is_written_everywhere_for_a_week_so_that_kafka_compacts_it(world: World) -> None:
    world.erase(USER)
    world.drain()
    for _ in range(20):
        world.kafka.clock += DAY // 2 + 1
        for partition in (0, 1):
            world.tick(partition)
        world.drain()
    for partition in (0, 1):
        swept = [r for r in world.kafka.all("events") if r.headers == [("leadstream-internal", b"sweep")]]
        assert len(swept) == 2 * 14, partition
    assert [r.value for r in world.kafka.all("lead-states") if r.key == LEAD.encode()][1:] == [None] * 15


async def test_who_was_unlinked_before_is_told_anew_without_whom_it_is_about(world: World) -> None:
    second = "email::second@acme.example"
    world.happen(second)
    world.drain()
    world.kafka.append("people", 0, None, encode(Linking("link", USER, second)))
    for _ in range(8):
        world.happen(USER)
    world.drain()
    world.kafka.append("people", 0, None, encode(Unlinking("unlink", USER, second)))
    world.settle()
    state = [r.value for r in world.kafka.all("lead-states") if r.key == LEAD.encode()][-1]
    assert b"second@" in state
    world.erase(second)
    world.settle()
    assert b"second@" not in world.compacted()
    assert b"canary@" in world.compacted()


async def test_people_that_were_lost_hear_from_the_visitors_whom_they_had_erased(world: World) -> None:
    world.erase(COOKIE)
    world.settle()
    log = [record for record in world.kafka.logs.pop(TP("people-changelog", 0)) if record.key == b"\x00log"][-1:]
    world.kafka.append("people-changelog", 0, log[0].key, log[0].value)  # its place in the log alone is left
    world.crash()
    for partition in range(PARTITIONS):
        world.kafka.append("events", partition, None, encode(Resync("again", 0, 1)), [RESYNC])
    world.settle()
    world.happen(OTHER, COOKIE, ago_ms=DAY)
    world.settle()
    assert members(world, lead_id(OTHER)) == [OTHER]
    assert world.worker.people.erasures.is_before(USER, 0)


async def test_a_cookie_that_nobody_listened_to_is_heard_from_its_new_life_on(world: World) -> None:
    world.happen("anon::canary-n")
    world.erase("anon::canary-n")
    world.drain()
    world.happen(OTHER, "anon::canary-n")
    world.drain()
    message = world.happen("anon::canary-n")
    world.settle()
    assert tags_of(state_of(world, "anon::canary-n")) == {message}


async def test_a_person_of_many_ids_is_forgotten_by_devices_too(world: World) -> None:
    for number in range(20):
        world.happen(USER, f"weibo::canary-{number}")
    kiosk = "anon::kiosk"
    for node in (OTHER, "user::3"):
        world.happen(node, kiosk)
        world.drain()
    world.happen(kiosk, type="identify", traits={"email": "canary@acme.example"})
    world.settle()
    word = world.erase(USER)
    world.settle()
    assert decided(world, word)["identities"] == 24
    assert b"canary" not in world.compacted()


def test_a_record_that_is_none_of_ours_erases_nobody_and_one_of_a_newer_release_is_not_passed_over() -> None:
    assert [told(value) for value in (None, b"", b'{"type": "page"}')] == [None] * 3
    with pytest.raises(Unreadable, match="Tick"):
        told(encode(Tick(0, 1)))


async def test_an_erased_visitor_leaves_its_account_and_a_repeat_takes_no_new_one_away(world: World) -> None:
    def counted() -> list[bool]:
        told = [decode(record.value) for record in world.kafka.all("members")]
        return [member.left for one in told if isinstance(one, Members) for member in one.changed]

    node = "anon::canary-g"
    world.happen(node, context={"groupId": "g"})
    world.settle()
    assert counted() == [False]
    world.erase(node)
    world.settle()
    assert counted() == [False, True]
    world.happen(node, context={"groupId": "g"})
    world.settle()
    for tp, log in list(world.kafka.logs.items()):
        for record in [one for one in log if one.headers == [ERASE]]:
            world.kafka.append(tp.topic, tp.partition, None, record.value, record.headers)
    world.settle()
    assert counted() == [False, True, False]


async def test_an_account_hears_when_and_why_a_visitor_left_it() -> None:
    world = World()
    world.happen(COOKIE, groupId="7", type="group")
    world.drain()
    world.worker.visitors.tick(partition_of(COOKIE.encode(), PARTITIONS), world.kafka.clock)
    world.kafka.clock += 2 * DAY
    world.erase(COOKIE)
    world.settle()
    told = [told for record in world.kafka.all("members") if isinstance(told := decode(record.value), Members)]
    assert [(each.account, each.code, each.changed[0].left) for each in told] == [
        ("account:group:7", "", False), ("account:group:7", "erase", True),
    ]  # fmt: skip
    assert told[1].r > told[0].r + DAY
