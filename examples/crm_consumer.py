"""What a CRM does with `stage-changes`: keep one card a lead, in order, once, also after a crash and after a merge.

    python examples/crm_consumer.py --kafka 127.0.0.1:9092 --state crm.sqlite

The state and the place in the log are stored apart: first the state, then the offset. A crash between the two brings
the same events again; they carry a `sequence` the card has seen, and are dropped.
"""

import argparse
import asyncio
import json
import sqlite3
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord

CARDS = "CREATE TABLE IF NOT EXISTS cards (lead TEXT PRIMARY KEY, sequence TEXT, stage TEXT, name TEXT, into_lead TEXT)"


def apply(state: sqlite3.Connection, event: dict[str, Any]) -> str | None:
    """Bring one event into the cards and return what happened; None for a repeat.

    Ids are `subject-sequence`, and one subject is always in one partition: not greater than the newest is seen before.
    """
    lead, sequence, data = event["subject"], event["sequence"], event["data"]
    known = state.execute("SELECT sequence FROM cards WHERE lead = ?", [lead]).fetchone()
    if known and sequence <= known[0]:
        return None
    state.execute("INSERT OR IGNORE INTO cards (lead) VALUES (?)", [lead])
    state.execute("UPDATE cards SET sequence = ? WHERE lead = ?", [sequence, lead])
    if event["type"] == "lead.stage_changed.v1":
        return stage_changed(state, lead, data)
    return person_changed(state, event)


def person_changed(state: sqlite3.Connection, event: dict[str, Any]) -> str:
    """Follow what becomes of a person: one with another, on its own again, forgotten."""
    lead, data = event["subject"], event["data"]
    match event["type"]:
        case "lead.merged.v1":
            state.execute("UPDATE cards SET into_lead = ?, stage = NULL WHERE lead = ?", [data["into"], lead])
            return f"{lead} is the same person as {data['into']}: its card moves there"
        case "lead.unmerged.v1":
            state.execute("UPDATE cards SET into_lead = NULL WHERE lead = ?", [lead])
            return f"{lead} is on its own again"
        case "lead.erased.v1":  # the sequence stays: it goes on if the person ever comes back
            state.execute("UPDATE cards SET stage = NULL, name = NULL, into_lead = NULL WHERE lead = ?", [lead])
            return f"{lead} is forgotten"
        case "identity.conflict.v1":
            return f"{lead}: somebody should look at {' and '.join(data['ids'])} ({data['code']})"
        case other:
            return f"{lead}: {other} is newer than this program"


def stage_changed(state: sqlite3.Connection, lead: str, data: dict[str, Any]) -> str:
    """Move the card and return the line a salesperson would like to read."""
    stage, score = data["stage"], data["score"]
    name = data["lead"]["traits"].get("email") or data["lead"]["userId"] or lead
    company = f" ({data['account']['name'] or data['account']['id']})" if data["account"] else ""
    state.execute("UPDATE cards SET stage = ?, name = ? WHERE lead = ?", [stage["to"]["name"], name, lead])
    return (
        f"{name}{company}: {stage['from']['name']} -> {stage['to']['name']}, {data['reason']['text']}"
        f" [{score['total']:.1f} points, grade {score['grade']}, {data['route']}]"
    )


def card_of(state: sqlite3.Connection, lead: str) -> str:
    """Return the lead that holds this one's card today: follow merges to their end."""
    while row := state.execute("SELECT into_lead FROM cards WHERE lead = ? AND into_lead NOTNULL", [lead]).fetchone():
        lead = row[0]
    return lead


def take(state: sqlite3.Connection, records: list[ConsumerRecord]) -> None:
    """Apply a batch in one transaction and print what is new."""
    with state:
        for record in records:
            line = apply(state, json.loads(record.value))
            if line is not None:
                print(line, flush=True)


async def run(options: argparse.Namespace) -> None:
    """Consume for ever, or with `--once` to the end of what is there."""
    state = sqlite3.connect(options.state)
    state.execute(CARDS)
    consumer = AIOKafkaConsumer(
        options.topic,
        bootstrap_servers=options.kafka,
        group_id=options.group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        while True:
            batches = await consumer.getmany(timeout_ms=500)
            for records in batches.values():
                take(state, records)
            if batches:
                await consumer.commit()  # only after the state is stored
            if options.once and consumer.assignment() and await at_end(consumer):
                return
    finally:
        await consumer.stop()
        state.close()


async def at_end(consumer: AIOKafkaConsumer) -> bool:
    """Tell whether all that is in the topic has been read."""
    ends = await consumer.end_offsets(consumer.assignment())
    return all([await consumer.position(partition) >= end for partition, end in ends.items()])


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description="Keep one card a lead from the topic stage-changes.")
    parser.add_argument("--kafka", default="127.0.0.1:9092", metavar="HOST:PORT")
    parser.add_argument("--topic", default="stage-changes")
    parser.add_argument("--group", default="crm-example", help="consumer group: remembers the place in the topic")
    parser.add_argument("--state", default="crm.sqlite", metavar="FILE", help="where the cards are kept")
    parser.add_argument("--once", action="store_true", help="end when all that is there has been read")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
