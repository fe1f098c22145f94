"""Reports over a running installation: the reach of a target list, and networks to name, read from a worker and from `events`."""

import csv
import json
from pathlib import Path

import pytest

from tests.brokers import Broker, Installation, wait_until
from tests.kafka.workers import Running, run_worker

pytestmark = [pytest.mark.process, pytest.mark.embedded]

RANGES = """network,name,domain,kind,target
203.0.113.0/24,Acme,acme.example,business,tier-1
198.51.100.0/24,Bolt,bolt.example,business,tier-1
192.0.2.0/28,Cog,cog.example,business,
"""
OFFICE = "100.99.7.{}"


def visit(who: str, ip: str) -> tuple[bytes, bytes]:
    event = {"type": "page", "anonymousId": who, "context": {"ip": ip, "page": {"url": "https://x.example/pricing"}}}
    return f"anon::{who}".encode(), json.dumps(event).encode()


def registers(number: int, domain: str, device: str) -> tuple[bytes, bytes]:
    traits = {"email": f"p{number}@{domain}", "title": "Head of IT"}
    event = {"type": "identify", "userId": f"u{number}", "anonymousId": device, "traits": traits}
    return f"user::u{number}".encode(), json.dumps(event).encode()


STORY = [
    *(visit(f"d{n}", OFFICE.format(n)) for n in range(1, 5)),
    *(registers(n, "acme.example", f"d{n}") for n in range(1, 5)),
    *(visit(f"d{n}", OFFICE.format(n)) for n in range(1, 5)),
    visit("stranger", "192.0.2.7"),
]


@pytest.fixture
def installation(embedded: Broker, tmp_path: Path) -> Installation:
    (tmp_path / "ranges.csv").write_text(RANGES, "utf-8")
    return Installation(embedded, tmp_path, settings={"COMPANY_RANGES": str(tmp_path / "ranges.csv")})


def wait_for_leads(running: Running, count: int) -> None:
    wait_until(lambda: len(json.loads(running.get("/v1/leads")[1])["leads"]) == count, 60, "the leads")


def seen(running: Running) -> dict[str, tuple[int, int]]:
    """Return how many leads and other visitors each account has."""
    accounts = json.loads(running.get("/v1/accounts")[1])["accounts"]
    return {account["id"]: (len(account["people"]), account["anonymous"]) for account in accounts}


def kept(installation: Installation) -> tuple[list[bytes], dict[str, int]]:
    """Return the ranges file, and how many records each topic has that a proposal could be written into."""
    records = {topic: len(installation.read(topic)) for topic in ("events", "wakes", "stage-changes", "dead-letters")}
    return [path.read_bytes() for path in sorted(installation.folder.glob("*.csv"))], records


def test_marketing_asks_about_all_companies_at_once(installation: Installation) -> None:
    """Four people of Acme share a network that no file knows; Bolt, on the list too, was never seen; Cog is on no list."""
    try:
        assert installation.run("topics").returncode == 0
        running = run_worker(installation, CHECKPOINT="100ms")
        port = str(running.port)
        installation.produce("events", STORY)
        running.wait_until_applied(len(STORY))
        wait_for_leads(running, 4)

        both = {"account::acme.example": (4, 0), "account::cog.example": (0, 1)}
        wait_until(lambda: seen(running) == both, 60, "both companies")
        told = installation.run("report", "reach", "--json", WEB_PORT=port)
        assert told.returncode == 0, told.stderr
        document = json.loads(told.stdout)
        (listed,), off = document["lists"], document["offLists"]
        assert (listed["list"], listed["companies"], listed["seen"], listed["anonymous"]) == ("tier-1", 2, 1, 0)
        assert (listed["accounts"][0]["id"], listed["accounts"][0]["people"]) == ("account::acme.example", 4)
        assert listed["unseen"] == ["Bolt"]
        assert (off["accounts"][0]["id"], off["anonymous"], off["withPeople"]) == ("account::cog.example", 1, 0)

        before = kept(installation)
        proposed = installation.run("report", "networks", WEB_PORT=port)
        assert proposed.returncode == 0, proposed.stderr
        comment, line = proposed.stdout.splitlines()[1:]
        assert comment.startswith("# 100.99.7.0/24: 4 people with acme.example addresses, 8 events, ")
        assert next(csv.reader([line])) == ["100.99.7.0/24", "acme.example", "acme.example", "business"]
        assert kept(installation) == before, "it is proposed, and kept nowhere"
    finally:
        installation.close()
