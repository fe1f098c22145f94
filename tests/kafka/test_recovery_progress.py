"""While rows come back, the log and `/health/ready` say how far it is."""

import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from stream.runtime.embedded import free_port
from tests.brokers import Installation, wait_until
from tests.kafka.recreating import settle
from tests.kafka.traffic import traffic

COUNT = 600


def ready(port: int) -> tuple[int, dict[str, Any]]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=5) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as refused:
        return refused.code, json.loads(refused.read())
    except OSError:
        return 0, {}


def test_a_worker_says_how_far_its_recovery_is(on_kafka: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    on_kafka.run("topics")
    on_kafka.produce("events", traffic(1, COUNT))
    settle(on_kafka, COUNT)
    monkeypatch.setenv("_LEADSTREAM_DRAG", "recovery:4")  # one of seconds; a checkpoint may not take so long
    port = free_port()
    worker = on_kafka.worker(WEB_PORT=str(port))
    seen: list[dict[str, Any]] = []

    def told() -> bool:
        status, document = ready(port)
        assert worker.exit_code is None, worker.output[-3000:]
        if "restoring" in document:
            assert status == 503
            assert document["ready"] is False
            seen.append(document["restoring"])
        return any(one["done"] for one in seen)

    wait_until(told, 60, "something restored")
    one = next(one for one in seen if one["done"])
    assert 0 < one["done"] <= one["total"]
    assert 0 < one["percent"] <= 100
    assert one["rows"] <= one["total"]
    assert one["secondsLeft"] >= 0
    worker.wait_for_line(r"restoring \[[#.]{20}\] \d+ %, [\d,]+ rows, [\d,]+ rows/s, (\d+ s left|waiting for the first)", 60)
    wait_until(lambda: ready(port)[0] == 200, 90, "the end of it")
    assert "restoring" not in ready(port)[1]
    assert worker.stop() == 0
