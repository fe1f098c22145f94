"""The running collector against its own OpenAPI document: whatever that allows is answered as it says (schemathesis)."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import APIOperation, Case
from schemathesis.checks import content_type_conformance, not_a_server_error, response_schema_conformance, status_code_conformance
from schemathesis.core.result import Ok

from schemas import openapi
from tests.brokers import Broker, Installation, free_port

pytestmark = [pytest.mark.embedded, pytest.mark.process]

DOCUMENT = schemathesis.openapi.from_dict(openapi.document())
OPERATIONS = [found.ok() for found in DOCUMENT.get_all_operations() if isinstance(found, Ok)]
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EACH = 4


@pytest.fixture(scope="module")
def address(embedded: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    made = Installation(
        embedded, tmp_path_factory.mktemp("schema"), settings={"PARTITIONS": "1", "COLLECTOR_PORT": str(free_port())}
    )
    assert made.run("topics").returncode == 0
    made.start("collector").wait_for_line("ready: ")
    yield f"http://127.0.0.1:{made.settings['COLLECTOR_PORT']}"
    made.close()


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_it_answers_as_its_document_says(address: str, operation: APIOperation[Any, Any, Any, Any]) -> None:
    with requests.Session() as session:

        @settings(max_examples=EACH, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def check(case: Case[Any]) -> None:
            case.call_and_validate(base_url=address, session=session, checks=CHECKS)

        check()
