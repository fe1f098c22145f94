"""A short part of `python -m tests.fuzz`: no parser falls over whatever strangers send."""

import pytest
from hypothesis import HealthCheck, given, settings

from tests.fuzz.targets import TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_no_input_makes_a_parser_fall_over(name: str) -> None:
    target = TARGETS[name]

    @settings(max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(target.given)
    def check(given: object) -> None:
        target.run(given)

    check()
