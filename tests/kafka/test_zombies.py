"""The four checks that keep a woken worker harmless: each is taken out once to see the damage, and with it there is none."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, ResourceType

from stream.runtime.embedded import free_port
from tests.brokers import Installation, Process, Record, wait_until
from tests.kafka.group import admin_of, committed, ends, members, wait_until_read
from tests.kafka.replay import Verdict, verify
from tests.kafka.traffic import traffic

COUNT, LEADS = 600, 6
EAGER = {"segment.ms": "100", "min.cleanable.dirty.ratio": "0.01"}
"""Compacted as soon as it may be."""


@pytest.fixture
def installed(on_kafka: Installation) -> Installation:
    on_kafka.run("topics")
    return on_kafka


def patched(installation: Installation, patches: str, **settings: str) -> Process:
    """Start a worker with something taken out of it."""
    log = installation.folder / f"patched-{len(installation.processes)}.log"
    env = installation.env(WEB_PORT=str(free_port()), **settings) | {"_FREEZE": str(installation.folder / "freeze")}
    process = Process([sys.executable, "-m", "tests.kafka.patched", patches, "worker"], env, log, installation.folder)
    installation.processes.append(process.start())
    return process


def settle(installation: Installation, worker: Process) -> Verdict:
    """Let a worker read all there is, stop it and compare."""
    worker.wait_for_line("ready: ")
    wait_until(lambda: worker.exit_code is not None or committed(installation, "events") == ends(installation, "events"), 60)
    wait_until_read(installation, 1)
    assert worker.stop() == 0, worker.output[-3000:]
    installation.processes.remove(worker)
    return verify(installation)


def changelog(installation: Installation) -> str:
    return f"{installation.app}-visitors-changelog"


def rows(installation: Installation) -> list[Record]:
    return [row for row in installation.read(changelog(installation)) if not (row.key or b"").startswith(b"\x00")]


def write(installation: Installation, stale: Iterable[Record]) -> None:
    """Write rows as a worker that was frozen and wakes up would."""
    name = changelog(installation).removeprefix(installation.prefix)
    for row in stale:
        installation.produce(name, [(row.key, row.value)], partition=row.partition)


def overtaken(installation: Installation, worker: Process) -> list[Record]:
    """Let a worker change the same rows twice; return those of the first time."""
    installation.produce("events", traffic(2, COUNT, cookies=5, users=2))
    wait_until_read(installation, COUNT)
    assert worker.exit_code is None
    old = {row.key: row for row in rows(installation)}
    installation.produce("events", traffic(3, COUNT, cookies=5, users=2))
    wait_until_read(installation, 2 * COUNT)
    new = {row.key: row for row in rows(installation)}
    return [row for key, row in old.items() if row.value != new[key].value]


def of_one_partition(stale: list[Record]) -> list[Record]:
    return [row for row in stale if row.partition == stale[0].partition]


def alter(installation: Installation, topic: str, config: dict[str, str]) -> None:
    entries = [ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in config.items()]
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
    for altered in admin_of(installation.broker.address).incremental_alter_configs([resource]).values():
        altered.result()


def wait_until_compacted(installation: Installation, name: str, stale: list[Record], partition: int) -> None:
    """Write old rows again and again, so that segments end, until only they are left of their keys."""
    pairs = {row.key: row.value for row in stale}

    def compacted() -> bool:
        installation.produce(name.removeprefix(installation.prefix), pairs.items(), partition=partition)
        left = [row for row in installation.read(name) if row.partition == partition and row.key in pairs]
        return all(row.value == pairs[row.key] for row in left)

    wait_until(compacted, 60, f"compaction of {name}")


# -- a batch is accepted if and only if it starts at the expected position


def test_a_batch_that_is_lost_on_its_way_ends_the_process_before_anything_is_committed_behind_it(installed: Installation) -> None:
    worker = patched(installed, "lose_a_batch")
    _feed_until(installed, worker, lambda: worker.exit_code is not None)
    assert worker.exit_code == 70
    assert "Gap(" in worker.output
    installed.processes.remove(worker)
    assert settle(installed, installed.worker()).wrong == []


def test_without_positions_a_lost_batch_goes_unnoticed_and_its_events_are_lost(installed: Installation) -> None:
    worker = patched(installed, "lose_a_batch,any_position")
    _feed_until(installed, worker, lambda: "lost " in worker.output)
    verdict = settle(installed, worker)
    assert any("should be" in what for what in verdict.wrong)


def _feed_until(installation: Installation, worker: Process, done: Callable[[], bool]) -> None:
    """Send a little again and again, and once more at the end."""
    worker.wait_for_line("ready: ")
    seed = iter(range(100, 1000))

    def sent() -> bool:
        installation.produce("events", traffic(next(seed), 40))
        return done()

    wait_until(sent, 60, "the lost batch")
    installation.produce("events", traffic(next(seed), 400))


# -- a changelog acknowledgement follows the last known offset by one


@pytest.mark.parametrize(("patches", "harm"), [("", False), ("no_look_at_the_changelog", True)], ids=["with it", "without"])
def test_only_who_looks_for_a_second_writer_writes_its_rows_again_before_compaction_takes_them(
    installed: Installation, patches: str, *, harm: bool
) -> None:
    restart_ms = 5_000 if harm else 60_000  # a day, for a restart of minutes: who looks has its rows written again long before
    alter(installed, changelog(installed), EAGER | {"min.compaction.lag.ms": str(restart_ms)})
    worker = patched(installed, patches)
    stale = of_one_partition(overtaken(installed, worker))
    write(installed, stale)
    if harm:
        wait_until_compacted(installed, changelog(installed), stale, stale[0].partition)
        assert worker.stop() == 0
    else:
        assert worker.wait(20) == 70
        assert "a second writer" in worker.output
    installed.processes.remove(worker)
    settle(installed, installed.worker())  # recovers, and writes again what lay behind
    alter(installed, changelog(installed), {"min.compaction.lag.ms": "0"})
    verdict = settle(installed, installed.worker())
    assert bool(verdict.wrong) is harm


# -- recovery keeps the row with the greatest position


@pytest.mark.parametrize(("patches", "harm"), [("", False), ("last_row_counts", True)], ids=["with it", "without"])
def test_only_where_the_greatest_position_counts_an_old_row_behind_a_newer_one_does_no_harm(
    installed: Installation, patches: str, *, harm: bool
) -> None:
    worker = installed.worker()
    stale = overtaken(installed, worker)
    assert worker.stop() == 0
    installed.processes.remove(worker)
    write(installed, stale)
    installed.produce("events", traffic(4, COUNT, cookies=5, users=2))
    verdict = settle(installed, patched(installed, patches))
    assert bool(verdict.wrong) is harm


# -- old rows are kept for longer than the longest freeze that is survived


@pytest.mark.parametrize(("lag", "harm"), [("", False), ("0", True)], ids=["24 h", "none"])
def test_the_compaction_lag_keeps_the_newer_row_that_a_woken_worker_buried(
    installed: Installation, lag: str, *, harm: bool
) -> None:
    worker = installed.worker()
    stale = of_one_partition(overtaken(installed, worker))
    assert worker.stop() == 0
    installed.processes.remove(worker)
    alter(installed, changelog(installed), EAGER | ({"min.compaction.lag.ms": lag} if lag else {}))
    write(installed, stale)
    if lag:
        wait_until_compacted(installed, changelog(installed), stale, stale[0].partition)
    else:
        wait_until_compacted(installed, _beside(installed), stale, 0)
        write(installed, stale)
    installed.produce("events", traffic(4, COUNT, cookies=5, users=2))
    verdict = settle(installed, installed.worker())
    assert bool(verdict.wrong) is harm


@pytest.mark.parametrize(
    ("table", "name", "value", "wanted"),
    [("visitors", "min.compaction.lag.ms", "0", "86400000"), ("people", "cleanup.policy", "delete", "compact")],
)
def test_a_changelog_that_forgets_too_early_is_told_by_topics_check(
    installed: Installation, table: str, name: str, value: str, wanted: str
) -> None:
    assert installed.run("topics", "--check").returncode == 0
    topic = f"{installed.app}-{table}-changelog"
    alter(installed, topic, {name: value})

    def told() -> bool:
        check = installed.run("topics", "--check")
        return check.returncode == 1 and f"{topic}: {name} is {value}, should be {wanted}" in check.stdout

    wait_until(told, 20, "the difference to be seen")


def _beside(installation: Installation) -> str:
    """Make another compacted topic, without a lag and with newer rows to lose: when it is compacted, the cleaner was there."""
    config = EAGER | {"cleanup.policy": "compact", "min.compaction.lag.ms": "0"}
    made = NewTopic(installation.topic("beside"), 1, 1, config=config)
    (created,) = admin_of(installation.broker.address).create_topics([made]).values()
    created.result()
    installation.produce("beside", [(row.key, row.value) for row in rows(installation)], partition=0)
    return "beside"


# -- a worker that stood still for half the session timeout exits before it sends anything


@pytest.mark.parametrize(
    ("patches", "harm"),
    [("freeze_with_facts", False), ("freeze_in_the_producer", False), ("no_watchdog,freeze_with_facts", True)],
    ids=["with it", "with it, a request half sent", "without"],
)
def test_only_a_watched_worker_that_was_frozen_for_two_sessions_does_not_send_what_it_had_decided(
    installed: Installation, patches: str, *, harm: bool
) -> None:
    frozen = patched(installed, patches, SESSION_TIMEOUT="3s")
    frozen.wait_for_line("ready: ")
    Path(installed.folder, "freeze").touch()
    sent = installed.produce("events", moves("first", 12 * LEADS))
    wait_until(lambda: _stands(frozen), 30, "the freeze")
    stood_at = time.monotonic()
    wait_until(lambda: members(installed) == 0, 30, "the end of the session")
    other = installed.worker(SESSION_TIMEOUT="3s")
    sent += installed.produce("events", moves("then", 13 * LEADS))  # the leads go on meanwhile
    wait_until_read(installed, sent)
    wait_until(lambda: time.monotonic() - stood_at > 6, 10, "the end of a second session")
    frozen.signal(signal.SIGCONT)
    assert frozen.wait() == 70
    installed.processes.remove(frozen)
    if harm:  # it wrote rows, too: the other one ends when it sees that
        other.kill()
        installed.processes.remove(other)
        other = installed.worker()
    verdict = settle(installed, other)
    assert bool([what for what in verdict.wrong if "lead-states" in what]) is harm


def moves(name: str, count: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield a CRM's words that move a few leads to and fro."""
    for number in range(count):
        user, stage = f"u{number % LEADS}", ("opportunity", "customer")[number // LEADS % 2]
        event = {"type": "track", "event": "Lead Stage Changed", "userId": user, "properties": {"stage": stage}}
        yield f"user::{user}".encode(), json.dumps(event | {"messageId": f"{name}-{number}"}).encode()


def _stands(process: Process) -> bool:
    """Tell whether a process is stopped."""
    assert process.exit_code is None, process.output[-3000:]
    return os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT) is not None
