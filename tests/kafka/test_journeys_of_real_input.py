"""Real requests, ten thousand of one site and a day of NASA's: every record is accounted for, visitors are as `simulate` says.

The logs are no part of the repository, and no promise rests on them: what is promised is tested on made records.
"""

import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from tests.brokers import ROOT, Installation
from tests.kafka.workers import KINDS, run_worker
from tests.oracle.compare import compare
from tests.oracle.facts import instant_text

# Read at import: the tests themselves run without settings from outside.
WEBLOGS = Path(os.environ.get("LEADSTREAM_SHARED_DATA", ROOT.parent / "shared" / "data")) / "weblogs"
APACHE, NASA = WEBLOGS / "apache_logs", WEBLOGS / "nasa_19950801.tsv"

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(
        not (APACHE.is_file() and NASA.is_file()),
        reason=f"the real access logs {APACHE.name} and {NASA.name} are not in {WEBLOGS} (LEADSTREAM_SHARED_DATA says where): "
        "no promise rests on them",
    ),
]
ASKED = 40
PARSED = 9_999


def requests() -> Iterator[bytes]:
    """Yield NASA's requests as events of thirty years later."""
    with NASA.open(encoding="latin-1") as file:
        next(file)
        for number, line in enumerate(file, 2):
            host, _, second, method, url, status, size = line.rstrip("\n").split("\t")[:7]
            when = datetime.fromtimestamp(int(second), UTC)
            seen = method == "GET" and status[0] in "23"
            event = {
                "messageId": f"nasa-{number}",
                **({"type": "page"} if seen else {"type": "track", "event": "Request"}),
                "anonymousId": host,
                "context": {"page": {"path": url}},
                "properties": {"host": host, "method": method, "status": status, "bytes": size},
                "timestamp": when.replace(year=when.year + 30).isoformat(),
            }
            yield orjson.dumps(event)


def test_every_record_of_real_logs_is_accounted_for(installation: Installation) -> None:
    assert installation.run("topics").returncode == 0
    lines = list(requests())
    nasa = installation.folder / "nasa.ndjson"
    nasa.write_bytes(b"\n".join(lines))
    running = run_worker(installation)
    apache = installation.run("send", "--format", "combined", "--as-recorded", str(APACHE))
    assert (apache.returncode, apache.stdout) == (1, f"{PARSED} events acknowledged by Kafka\n"), apache.stderr
    assert "apache_logs:8899: no line of a combined log" in apache.stderr, "its user agent is cut off"
    assert installation.run("send", "--as-recorded", str(nasa)).stdout == f"{len(lines)} events acknowledged by Kafka\n"
    sent = PARSED + len(lines)
    counts = running.wait_until_applied(sent, 120)

    assert counts["read"] == sent == sum(counts[name] for name in KINDS)
    assert counts["applied"] + counts["duplicates"] == sent
    assert len(installation.read("dead-letters")) == counts["dead_letters"] == 0
    at = int(time.time() * 1000)
    done = installation.run("simulate", str(nasa), "--at", str(instant_text(at)), "--json")
    visitors = sorted(json.loads(done.stdout)["visitors"], key=lambda visitor: -visitor["events"])
    problems: list[str] = []
    for visitor in visitors[:ASKED] + visitors[-ASKED:]:
        compare(visitor["id"], visitor, running.ask("visitors", visitor["id"], at), problems)
    assert problems == []
    assert sum(visitor["events"] for visitor in visitors) + PARSED == counts["applied"]
    assert running.process.stop() == 0
