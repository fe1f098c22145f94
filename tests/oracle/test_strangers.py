"""The engine says who is whom as the oracle does, whatever ids strangers send."""

import os

import orjson
import pytest

from stream.domain.ruleset.load import load
from stream.intake import Intake
from stream.lookups import Lookups
from stream.simulation import simulate
from tests.oracle.compare import differences
from tests.oracle.oracle import simulate as oracle
from tests.oracle.strangers import story

PART = 25
PARTS = int(os.environ.get("ORACLE_STRANGERS", "1"))


@pytest.mark.parametrize("part", range(PARTS))
def test_strangers_are_the_same_people_by_an_honest_slow_reading_of_the_contract(part: int) -> None:
    for seed in range(part * PART, part * PART + PART):
        text, lines = story(seed)
        rules = load(text)
        intake = Intake(Lookups(), None, frozenset(stage.name for stage in rules.stages))
        found = differences(oracle(lines, text), orjson.loads(orjson.dumps(simulate(lines, rules, intake))))
        assert found == [], f"seed {seed}"
