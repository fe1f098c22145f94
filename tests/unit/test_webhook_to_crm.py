"""The example that brings webhooks into HubSpot and Salesforce, against the shapes their public documentation shows."""

import base64
import json
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from stream.domain.ruleset.load import load
from stream.outbound import signing
from tests.brokers import ROOT, free_port
from tests.unit.test_schemas_stage_change import EXAMPLE

KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()
LEAD = "lead_0687587883fab020"
LEAD_BLOCK = json.loads(EXAMPLE)["data"]["lead"]
OPTIONS = {"subscriber", "lead", "marketingqualifiedlead", "salesqualifiedlead", "opportunity", "customer", "evangelist", "other"}
"""HubSpot's default lifecycle stages; it refuses any other."""
RECORDED = json.loads((Path(__file__).parent / "crm_requests.json").read_text())


def example() -> Any:
    spec = spec_from_file_location("webhook_to_crm", ROOT / "examples" / "webhook_to_crm.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def event(type_: str = "lead.stage_changed.v1", **data: Any) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(EXAMPLE)
    if type_ != made["type"]:
        return made | {"type": type_, "data": data}
    made["data"]["stage"] |= data
    return made


def changed(before: str, now: str, direction: str) -> dict[str, Any]:
    stage: dict[str, Any] = {"from": {"name": before, "order": 0}, "to": {"name": now, "order": 0}, "direction": direction}
    return event(**stage)


def told(calls: list[Any]) -> list[dict[str, Any]]:
    return [{"method": method, "path": path, "body": body} for method, path, body in calls]


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("stage_up", event()),
        ("stage_down", changed("mql", "lead", "down")),
        ("merged", event("lead.merged.v1", lead={"id": LEAD}, into="lead_00000000000000aa")),
        (
            "unmerged",
            event("lead.unmerged.v1", lead=LEAD_BLOCK | {"previousIds": ["lead_00000000000000bb"]}, **{"from": "lead_1"}),
        ),
        ("erased", event("lead.erased.v1", lead={"id": LEAD})),
        ("conflict", event("identity.conflict.v1", ids=["user::1", "user::2"], leads=[LEAD], code="class_a")),
    ],
)
def test_each_fact_is_the_request_that_the_crm_documents(name: str, given: dict[str, Any]) -> None:
    crm = example()
    assert told(crm.to_hubspot(given)) == RECORDED["hubspot"][name]
    assert told(crm.to_salesforce(given)) == RECORDED["salesforce"][name]


@pytest.mark.parametrize(
    ("before", "now", "direction", "lifecycle"),
    [
        ("lead", "mql", "up", ["marketingqualifiedlead"]),
        ("opportunity", "customer", "up", ["customer"]),
        ("customer", "onboarding", "up", ["customer"]),
        ("renewal", "churned", "up", ["other"]),
        ("churned", "opportunity", "down", ["", "opportunity"]),
        pytest.param("renewal", "active", "down", ["customer"], id="the same there"),
        pytest.param("lead", "visitor", "down", ["", None], id="none there"),
        pytest.param("lead", "nurtured", "up", [None], id="of another ruleset"),
    ],
)
def test_hubspot_is_told_lifecycle_stages_that_it_has(before: str, now: str, direction: str, lifecycle: list[str | None]) -> None:
    calls = example().to_hubspot(changed(before, now, direction))
    assert [body["inputs"][0]["properties"].get("lifecyclestage") for _, _, body in calls] == lifecycle
    assert calls[-1][2]["inputs"][0]["properties"]["leadstream_id"] == LEAD


def test_every_stage_of_the_shipped_ruleset_but_visitor_is_one_of_hubspots() -> None:
    shipped = load((ROOT / "stream" / "rulesets" / "b2b-default.toml").read_bytes())
    assert {example().LIFECYCLE.get(stage.name) for stage in shipped.stages if stage.name != "visitor"} <= OPTIONS


@dataclass
class Crm:
    """A CRM that notes what it is asked, and does it if `status` says so."""

    status: int = 200
    asked: list[tuple[str, str, str, Any]] = field(default_factory=list)
    port: int = 0


@pytest.fixture
def crm() -> Iterator[Crm]:
    noted = Crm()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))) or b"null")
            noted.asked.append((self.command, self.path, self.headers["authorization"], body))
            self.send_response(noted.status)
            self.end_headers()

        do_PATCH = do_DELETE = do_POST  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    noted.port = server.server_port
    Thread(target=server.serve_forever, daemon=True).start()
    yield noted
    server.shutdown()
    server.server_close()


def test_what_salesforce_never_had_holds_nothing_up(crm: Crm) -> None:
    module, api = example(), f"http://127.0.0.1:{crm.port}"
    merged, erased = (
        module.to_salesforce(event(f"lead.{type_}.v1", lead={"id": LEAD}, into="lead_1"))[0] for type_ in ("merged", "erased")
    )
    crm.status = 404
    for request in (merged, erased):
        module.call(api, "token", request)
    with pytest.raises(urllib.error.HTTPError):
        module.call(api, "token", module.to_salesforce(event())[0])
    crm.status = 500
    for request in (merged, erased):
        with pytest.raises(urllib.error.HTTPError):
            module.call(api, "token", request)


@pytest.fixture
def receiver(crm: Crm, tmp_path: Path) -> Iterator[str]:
    command = [sys.executable, str(ROOT / "examples" / "webhook_to_crm.py"), "--crm", "hubspot"]
    where = ["--api", f"http://127.0.0.1:{crm.port}", "--port", str(free_port()), "--state", str(tmp_path / "seen.sqlite")]
    env = {"WEBHOOK_SECRET": SECRET, "CRM_TOKEN": "token"}
    with subprocess.Popen([*command, *where], env=env, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout
        found = re.search(r"http://\S+", running.stdout.readline())
        assert found
        yield found[0]
        running.kill()


def post(url: str, body: bytes, key: bytes = KEY, at_s: float | None = None) -> int:
    headers = signing.headers([key], "id", int(time.time() if at_s is None else at_s), body)
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=20) as answer:  # noqa: S310 - our own
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_a_webhook_becomes_a_request_once_and_only_if_it_is_signed(crm: Crm, receiver: str) -> None:
    body = json.dumps(event()).encode()
    assert post(receiver, body, bytes(32)) == 401
    assert post(receiver, body, at_s=time.time() - 1000) == 401
    assert crm.asked == []
    crm.status = 500
    assert post(receiver, body) == 502
    crm.status = 200
    crm.asked.clear()
    assert [post(receiver, body), post(receiver, body)] == [204, 204]
    (request,) = RECORDED["hubspot"]["stage_up"]
    assert crm.asked == [(request["method"], request["path"], "Bearer token", request["body"])]
