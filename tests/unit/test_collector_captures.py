"""Requests that real clients sent, if there are any: `CAPTURES=FOLDER`, files of one request a line.

A line is `{"method", "path", "query", "headers": [[name, value]…], "body_b64" or "body_json" or "body_text"}`.
"""

import json
import os
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.collecting import Collecting

FOLDER = os.environ.get("CAPTURES", "")
FILES = sorted(Path(FOLDER).glob("*.jsonl")) if FOLDER else []
NOT_KEPT = {"host", "content-length", "connection", "accept-encoding"}


def requests_in(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text("utf-8").splitlines():
        yield json.loads(line)


def body_of(request: dict[str, Any]) -> bytes:
    if request["body_b64"]:
        return b64decode(request["body_b64"])
    if request["body_json"] is not None:
        return json.dumps(request["body_json"]).encode()
    return (request["body_text"] or "").encode()


def events_in(request: dict[str, Any]) -> list[str]:
    """Return the ids of the events that a request carries."""
    if request["method"] == "GET":
        return [dict(pair.split("=", 1) for pair in request["query"].split("&"))["eid"]]
    document = request["body_json"] or {}
    events = document.get("batch") or document.get("data") or [document]
    return [event.get("messageId") or event["eid"] for event in events]


@pytest.mark.skipif(not FILES, reason="no recorded requests: set CAPTURES to their folder")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
async def test_every_recorded_event_comes_out_once(path: Path) -> None:
    for request in requests_in(path):
        collecting = Collecting()
        packed = bool(request["body_b64"])
        headers = {
            name: value
            for name, value in request["headers"]
            if name.lower() not in NOT_KEPT and (packed or name.lower() != "content-encoding")
        }
        target = request["path"] + (f"?{request['query']}" if request["query"] else "")
        answer = await collecting.ask(request["method"], target, body_of(request), **headers)
        assert answer.status == 200
        if request["method"] == "OPTIONS":
            continue
        if request["method"] == "POST":
            assert answer.body == b'{"success":true}'
        assert [event["messageId"] for event in collecting.events] == events_in(request)
        assert None not in collecting.keys
