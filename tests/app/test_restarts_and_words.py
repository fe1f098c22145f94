"""Operators' words and erasures while partitions restart, repeat themselves, and are read at different speeds."""

import json
from typing import Any

import pytest
from faust.types import TP

from stream.agents.headers import RESYNC
from stream.domain.log import Erasing, Linking, Record, Resync, Settling, Unlinking, encode
from stream.runtime.producer import partition_of
from tests.crashing import PARTITIONS, World

USER, COOKIE, MAIL = "user::1", "anon::a", "email::x@acme.example"
TYPED: dict[str, Any] = {"type": "identify", "traits": {"email": "x@acme.example", "name": "Xenia X"}}
AT = partition_of(COOKIE.encode(), PARTITIONS)


@pytest.fixture
async def world() -> World:
    return World()


def say(world: World, record: Record) -> None:
    """Append an operator's word, and let people alone read it."""
    world.kafka.append("people", 0, None, encode(record))
    world.worker.read("people", 0, 100)


def tick(world: World) -> None:
    for partition in range(PARTITIONS):
        world.tick(partition)


def members(world: World) -> list[list[str]]:
    return sorted(sorted(person.members) for person in world.worker.people.rows.persons() if person.members)


async def test_what_a_device_told_of_somebody_who_is_erased_goes_from_the_lead_that_has_it(world: World) -> None:
    world.happen(USER, COOKIE)
    world.drain()
    world.happen(COOKIE, **TYPED)
    world.drain()
    tick(world)
    say(world, Unlinking("u1", COOKIE, MAIL))
    world.drain()
    world.erase(MAIL)
    world.settle()
    identity, row = world.worker.people.rows.identity(COOKIE), world.worker.part(AT).get(COOKIE.encode())
    assert identity is not None
    assert row is not None
    assert (identity.state.traits, identity.version) == ({}, row.position), "or a resync would take it for news"
    assert world.compacted().count(b"x@acme.example") == world.compacted().count(b"Xenia X") == 0


async def test_what_a_registered_person_told_stays_though_its_events_named_who_is_erased(world: World) -> None:
    world.happen(USER, MAIL, type="identify", traits={"name": "Ada"})
    world.drain()
    tick(world)
    say(world, Unlinking("u1", USER, MAIL))
    world.drain()
    world.erase(MAIL)
    world.settle()
    identity = world.worker.people.rows.identity(USER)
    assert identity is not None
    assert identity.state.traits["name"].value == "Ada"


async def test_so_does_what_a_device_told_that_several_share(world: World) -> None:
    world.happen(USER, COOKIE)
    world.happen("user::2", MAIL)
    world.drain()
    world.happen(COOKIE, **TYPED)
    world.drain()
    world.erase(MAIL)
    world.settle()
    world.happen(COOKIE)
    for _ in range(8):
        world.happen(USER)
    world.settle()
    assert world.compacted().count(b"x@acme.example") == world.compacted().count(b"Xenia X") == 0


@pytest.mark.parametrize("restart", [False, True])
async def test_a_repeat_of_a_device_that_an_operator_linked_links_nobody_else(world: World, restart: bool) -> None:  # noqa: FBT001 - of the table
    world.happen(USER, COOKIE)
    world.happen("user::2", COOKIE)
    world.drain()
    world.happen(MAIL)
    world.drain()
    world.worker.checkpoint()
    world.happen(COOKIE, type="identify", traits={"email": "x@acme.example"})
    world.drain()
    before = members(world)
    tick(world)
    say(world, Linking("l1", USER, COOKIE))
    world.worker.write([world.worker.people_log.table.open(0).take()])  # of people; the visitors' partition has not come so far
    if restart:
        world.crash()
    world.settle()
    assert members(world) == before


@pytest.mark.parametrize("resync", [False, True])
async def test_a_resync_between_two_erasures_brings_back_no_link_to_who_is_erased(world: World, resync: bool) -> None:  # noqa: FBT001 - of the table
    world.happen(USER, MAIL)
    world.happen(USER, COOKIE)
    world.drain()
    tick(world)
    say(world, Unlinking("u1", USER, COOKIE))
    say(world, Unlinking("u2", USER, MAIL))
    world.drain()
    world.happen(USER)
    world.drain()
    say(world, Erasing("e1", COOKIE, b"s" * 16))
    if resync:
        world.kafka.append("people", 0, None, encode(Settling("r1", anew=False)))
        for partition in range(PARTITIONS):
            world.kafka.append("events", partition, None, encode(Resync("r1", 0, 1)), [RESYNC])
    say(world, Erasing("e2", MAIL, b"s" * 16))
    world.settle()
    assert members(world) == [[USER]]
    assert world.compacted().count(MAIL.encode()) == 0


@pytest.mark.parametrize("late", [False, True])
async def test_a_word_that_is_heard_after_an_erasure_names_nobody_who_is_erased(world: World, late: bool) -> None:  # noqa: FBT001 - of the table
    world.happen(USER, COOKIE)
    world.happen(MAIL)
    world.drain()
    tick(world)
    say(world, Linking("l1", COOKIE, MAIL))
    if not late:
        world.drain()
    say(world, Unlinking("u1", COOKIE, MAIL))
    world.erase(MAIL)
    world.worker.read("people", 0, 100)
    world.worker.read("events", AT, 100)
    world.settle()
    assert world.compacted().count(b"x@acme.example") == 0


@pytest.mark.parametrize("many", [3, 400])
async def test_an_erasure_that_is_read_again_takes_no_row_back_that_has_read_on(world: World, many: int) -> None:
    world.happen(USER)
    world.happen(MAIL)
    world.drain()
    world.worker.checkpoint()
    world.erase(MAIL)
    world.worker.read("people", 0, 100)
    world.happen(COOKIE, type="identify", traits={"email": "x@acme.example", "title": "head"})
    for _ in range(many):
        world.happen(COOKIE)
    world.worker.read("events", AT, 10_000)
    world.crash(rows=10_000)  # they are written, how far they go is not committed
    world.settle()
    row = world.worker.part(AT).get(COOKIE.encode())
    assert row is not None
    assert (row.state.events, row.position) == (many + 1, len(world.kafka.logs[TP("events", AT)]))
    assert (list(row.links or {}), row.state.traits["title"].value) == ([MAIL], "head")
    facts = [json.loads(record.value) for record in world.kafka.all("stage-changes")]
    assert len({fact["id"] for fact in facts}) == len({json.dumps(fact) for fact in facts})
