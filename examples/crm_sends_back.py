"""What a CRM tells: a lead moved, a deal was won, somebody owns it now. An event like any other, into `events`.

    python examples/crm_sends_back.py --lead lead_0687587883fab020 stage opportunity
    python examples/crm_sends_back.py --email buyer@acme.example won --amount 12000 --currency EUR
    python examples/crm_sends_back.py --crm-id 00Q7 owner anna

An event's key is the identity it belongs to, `kind:scope:value`; the same key is always in the same partition (murmur2,
the default of Java and aiokafka clients). A CRM knows a lead by its id, by its own record id, or by e-mail.
"""

import argparse
import asyncio
import json
import uuid
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

EVENTS = {
    "stage": ("Lead Stage Changed", ("stage", "changedBy")),
    "owner": ("Owner Changed", ("owner",)),
    "won": ("Deal Won", ("amount", "currency")),
    "lost": ("Deal Lost", ("reason",)),
    "order": ("Order Completed", ("order_id", "total", "currency")),
}
"""The name of each event and its properties."""


def identity(options: argparse.Namespace) -> tuple[str, dict[str, str]]:
    """Return the record's key and the entry of `context.externalIds` it comes from."""
    if options.lead:
        return f"lead::{options.lead}", {"type": "lead", "id": options.lead}
    if options.crm_id:
        return f"crm::{options.crm_id}", {"type": "crm_lead_id", "id": options.crm_id}
    return f"email::{options.email.strip().lower()}", {"type": "email", "id": options.email}


def event_of(options: argparse.Namespace) -> dict[str, Any]:
    """Return the event. `timestamp` is the CRM's own time: an older move than the newest one known is ignored."""
    name, members = EVENTS[options.what]
    return {
        "messageId": options.message_id or f"crm-{uuid.uuid4()}",
        "type": "track",
        "event": name,
        "timestamp": options.at or datetime.now(UTC).isoformat(timespec="milliseconds"),
        "properties": {member: getattr(options, member) for member in members},
        "context": {"externalIds": [identity(options)[1]]},
    }


async def send(options: argparse.Namespace) -> None:
    """Publish the event and say where it is."""
    producer = AIOKafkaProducer(bootstrap_servers=options.kafka, acks="all")
    try:
        await producer.start()
    except KafkaError as error:
        raise SystemExit(f"no Kafka answers at {options.kafka} ({error}): start it, or set --kafka HOST:PORT") from error
    try:
        event = event_of(options)
        value = json.dumps(event, ensure_ascii=False).encode()
        at = await producer.send_and_wait(options.topic, value, key=identity(options)[0].encode())
        print(f"{event['event']} for {identity(options)[0]} is at {at.topic}:{at.partition}:{at.offset}")
    finally:
        await producer.stop()


def main() -> None:
    """Read the options and send."""
    parser = argparse.ArgumentParser(description="Send an event of the CRM to the topic events.")
    parser.add_argument("--kafka", default="127.0.0.1:9092", metavar="HOST:PORT")
    parser.add_argument("--topic", default="events")
    parser.add_argument("--at", metavar="INSTANT", help="when it happened in the CRM (RFC 3339; default: now)")
    parser.add_argument("--message-id", help="an id of your own, so that sending again changes nothing")
    who = parser.add_mutually_exclusive_group(required=True)
    who.add_argument("--lead", help="the lead's id, as in stage-changes")
    who.add_argument("--crm-id", help="your record's id")
    who.add_argument("--email")
    what = parser.add_subparsers(dest="what", required=True, metavar="stage|owner|won|lost|order")
    stage = what.add_parser("stage", help="the lead is in another stage now")
    stage.add_argument("stage")
    stage.add_argument(
        "--changed-by",
        dest="changedBy",
        default="crm",
        help="who moved it ('leadstream' marks an echo, and is dropped)",
    )
    won = what.add_parser("won", help="a deal was won")
    won.add_argument("--amount", type=float, required=True)
    won.add_argument("--currency", required=True)
    lost = what.add_parser("lost", help="a deal was lost")
    lost.add_argument("--reason", required=True)
    owner = what.add_parser("owner", help="somebody has the lead now")
    owner.add_argument("owner")
    order = what.add_parser("order", help="an order was completed; the same id again corrects it")
    order.add_argument("order_id", metavar="ORDER")
    order.add_argument("--total", type=float, required=True)
    order.add_argument("--currency", required=True)
    asyncio.run(send(parser.parse_args()))


if __name__ == "__main__":
    main()
