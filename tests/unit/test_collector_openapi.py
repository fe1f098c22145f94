"""The OpenAPI document names every address of the collector, and nothing else."""

import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from schemas import openapi
from stream.collector import first_fetches, insights
from stream.collector.app import READERS
from stream.collector.limits import LIMITS
from stream.collector.personalising import Personalising
from stream.collector.service import own_pages
from stream.settings import Settings
from tests.unit.collecting import Collecting

DOCUMENT = openapi.document()


def served() -> set[tuple[str, str]]:
    personal = Personalising(None, None, None)  # type: ignore[arg-type]  # nobody asks it
    pages = first_fetches.pages() | insights.pages(Settings(), Collecting().gate) | own_pages(None, None, personal)  # type: ignore[arg-type]  # likewise
    return {*READERS, *pages}


def test_every_route_is_in_the_document_and_nothing_else() -> None:
    documented = {(method.upper(), path) for path, operations in DOCUMENT["paths"].items() for method in operations}
    assert documented == served()


def test_every_reference_leads_somewhere() -> None:
    for name in set(re.findall(r"'#/([A-Za-z0-9/]+)'", str(DOCUMENT))):
        place: Any = DOCUMENT
        for part in name.split("/"):
            place = place[part]


def test_the_most_events_of_a_batch_are_what_the_collector_takes() -> None:
    assert LIMITS.events == openapi.MOST_EVENTS


async def test_it_is_served() -> None:
    answer = await Collecting().get("/openapi.json")
    assert answer.document == DOCUMENT


@pytest.mark.parametrize(
    ("path", "body", "component"),
    [
        ("/v1/page", {"type": "page", "anonymousId": "9f2c"}, "Stored"),
        ("/v1/page", {"type": "page"}, "Stored"),
        ("/v1/page", [], "Refusal"),
        ("/v1/batch", {"batch": [1, {"type": "page", "userId": "42"}]}, "Stored"),
        ("/com.snowplowanalytics.snowplow/tp2", {"data": [{"e": "pv", "duid": "d"}]}, "Stored"),
        ("/com.snowplowanalytics.snowplow/tp2", {"data": []}, "Refusal"),
    ],
)
async def test_answers_are_as_the_document_says(path: str, body: Any, component: str) -> None:
    answer = await Collecting().post(path, body)
    assert str(answer.status) in DOCUMENT["paths"][path]["post"]["responses"]
    Draft202012Validator(DOCUMENT["components"]["schemas"][component]).validate(answer.document)


async def test_a_wrong_method_is_told_the_right_ones() -> None:
    answer = await Collecting().ask("PUT", "/v1/page")
    assert (answer.status, answer.headers["allow"]) == (405, "POST, OPTIONS")
