"""Bring Leadstream's webhooks into HubSpot or Salesforce: verify, drop repeats, call the CRM's API, answer when it has it.

    LEADSTREAM_WEBHOOK_URL=http://127.0.0.1:9000/ LEADSTREAM_WEBHOOK_NETWORKS=127.0.0.0/8 leadstream webhook
    WEBHOOK_SECRET=whsec_… CRM_TOKEN=… python examples/webhook_to_crm.py --crm hubspot --api https://api.hubapi.com

In HubSpot make the contact properties `leadstream_id`, `leadstream_score`, `leadstream_reason`; in Salesforce the fields of a
Lead `Leadstream_Id__c` (text, external id, unique), `Leadstream_Score__c`, `Leadstream_Reason__c`, `Leadstream_Merged_Into__c`.
An answer other than 2xx of the CRM is answered 502 here, and Leadstream comes again.
"""

import argparse
import base64
import hmac
import json
import os
import sqlite3
import time
from collections.abc import Mapping
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import Request, urlopen

Call = tuple[str, str, dict[str, Any] | None]
"""Method, path and body of a request to the CRM."""

SALESFORCE = "/services/data/v61.0/sobjects/Lead/Leadstream_Id__c"
HUBSPOT = "/crm/v3/objects/contacts/batch/upsert"
LIFECYCLE = {  # HubSpot's own options; a stage without one (visitor) leaves the field alone, or empty on the way down to it
    "lead": "lead",
    "mql": "marketingqualifiedlead",
    "sql": "salesqualifiedlead",
    "opportunity": "opportunity",
    "customer": "customer",
    "onboarding": "customer",
    "active": "customer",
    "renewal": "customer",
    "churned": "other",
}
STATUS = {"lead": "Open - Not Contacted", "mql": "Working - Contacted"}  # above it a Lead is converted, and sales' business
TOLERANCE_S = 300
ONLY_THERE = "?updateOnly=true"  # Salesforce makes no Lead of what it lacks: a visitor that never was one may be merged, too


def verify(secret: str, headers: Mapping[str, str], body: bytes, now_s: float) -> bool:
    """Tell whether a webhook comes from who has the secret, and is not an old one played again."""
    id_, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not at.isdecimal() or abs(now_s - int(at)) > TOLERANCE_S:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, f"{id_}.{at}.".encode() + body, sha256).digest()).decode()
    given = headers.get("webhook-signature", "").split(" ")
    return any(hmac.compare_digest(f"v1,{expected}".encode(), each.encode()) for each in given)


def to_hubspot(event: dict[str, Any]) -> list[Call]:
    """Return what to ask of HubSpot: contacts are found by e-mail; a lifecycle stage only goes back by way of none.

    It refuses an option that it does not know: of stages of your own make custom ones there, and add them to LIFECYCLE.
    """
    if event["type"] != "lead.stage_changed.v1" or not (email := event["data"]["lead"]["traits"].get("email")):
        return []
    data = event["data"]
    before, now = (LIFECYCLE.get(data["stage"][side]["name"]) for side in ("from", "to"))
    properties = {
        "leadstream_id": event["subject"],
        "leadstream_score": str(round(data["score"]["total"], 1)),
        "leadstream_reason": data["reason"]["text"],
    }
    calls = [_upsert(email, properties | ({"lifecyclestage": now} if now else {}))]
    back = data["stage"]["direction"] == "down" and now != before
    return [_upsert(email, {"lifecyclestage": ""}), *calls] if back else calls


def _upsert(email: str, properties: dict[str, str]) -> Call:
    return "POST", HUBSPOT, {"inputs": [{"id": email, "idProperty": "email", "properties": properties}]}


def to_salesforce(event: dict[str, Any]) -> list[Call]:
    """Return what to ask of Salesforce: Leads are found by Leadstream's id, and made where there is none."""
    path = _path(event["subject"])
    match event["type"]:
        case "lead.stage_changed.v1":
            return [("PATCH", path, _lead(event["data"]))]
        case "lead.merged.v1":
            return [_merged(event["subject"], event["data"]["into"])]
        case "lead.unmerged.v1":  # on its own again, with those that were merged into it; where it stands follows
            with_it = event["data"]["lead"].get("previousIds", [])
            return [_merged(event["subject"], None), *(_merged(id_, event["subject"]) for id_ in with_it)]
        case "lead.erased.v1":
            return [("DELETE", path, None)]
        case _:
            return []


def _path(lead: str) -> str:
    return f"{SALESFORCE}/{quote(lead, safe='')}"


def _merged(lead: str, into: str | None) -> Call:
    return "PATCH", _path(lead) + ONLY_THERE, {"Leadstream_Merged_Into__c": into}


def _lead(data: dict[str, Any]) -> dict[str, Any]:
    traits, account = data["lead"]["traits"], data["account"] or {}
    lead = {
        "LastName": traits.get("name") or traits.get("email") or "[unknown]",  # a Lead needs both of these
        "Company": account.get("name") or account.get("domain") or "[unknown]",
        "Email": traits.get("email"),
        "Title": traits.get("title"),
        "Status": STATUS.get(data["stage"]["to"]["name"]),
        "Leadstream_Score__c": round(data["score"]["total"], 1),
        "Leadstream_Reason__c": data["reason"]["text"],
    }
    return {name: value for name, value in lead.items() if value is not None}


def is_repeat(state: sqlite3.Connection, event: dict[str, Any]) -> bool:
    """Tell whether this, or something newer, was brought in already."""
    known = state.execute("SELECT sequence FROM seen WHERE lead = ?", [event["subject"]]).fetchone()
    return known is not None and event["sequence"] <= known[0]


def call(api: str, token: str, request: Call) -> None:
    """Ask the CRM; raises OSError where it does not do it."""
    method, path, body = request
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    try:
        urlopen(Request(api + path, data, headers, method=method), timeout=15).close()  # noqa: S310 - the operator's own
    except HTTPError as error:
        if error.code != 404 or not (method == "DELETE" or path.endswith(ONLY_THERE)):  # it may be gone, or was never there
            raise


def handler(options: argparse.Namespace, state: sqlite3.Connection) -> type[BaseHTTPRequestHandler]:
    """Make the handler of webhooks."""
    calls = {"hubspot": to_hubspot, "salesforce": to_salesforce}[options.crm]

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            if not verify(os.environ["WEBHOOK_SECRET"], {k.lower(): v for k, v in self.headers.items()}, body, time.time()):
                self._answer(401)
                return
            event = json.loads(body)
            try:
                if not is_repeat(state, event):
                    for request in calls(event):
                        call(options.api, os.environ["CRM_TOKEN"], request)
                    with state:
                        state.execute("INSERT OR REPLACE INTO seen VALUES (?, ?)", [event["subject"], event["sequence"]])
            except (URLError, OSError) as error:
                print(f"{event['id']}: {error}")
                self._answer(502)
                return
            self._answer(204)

        def _answer(self, status: int) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--crm", choices=["hubspot", "salesforce"], required=True)
    parser.add_argument("--api", required=True, help="https://api.hubapi.com, or your Salesforce domain")
    parser.add_argument("--port", type=int, default=9000)
    parser.add_argument("--state", default="webhooks.sqlite")
    options = parser.parse_args()
    state = sqlite3.connect(options.state)
    state.execute("CREATE TABLE IF NOT EXISTS seen (lead TEXT PRIMARY KEY, sequence TEXT)")
    server = HTTPServer(("127.0.0.1", options.port), handler(options, state))
    print(f"listening on http://127.0.0.1:{server.server_port}/", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
