"""The product's own `simulate`, on a journey: what the oracle is compared with."""

import tempfile
from pathlib import Path
from typing import Any

import orjson

from stream.domain.ruleset.load import load
from stream.intake import Intake
from stream.lookups import Lookups
from stream.simulation import simulate
from tests.oracle.journeys import Journey


def run(journey: Journey) -> dict[str, Any]:
    """Return the engine's document, as it would be read from standard output."""
    rules = load(journey.ruleset)
    with tempfile.TemporaryDirectory() as folder:
        ranges = Path(folder) / "ranges.csv"
        ranges.write_text(journey.ranges, encoding="utf-8")
        lookups = Lookups(ranges)
    stages = {"visitor", *(stage.name for stage in rules.stages)}
    document = simulate(journey.lines, rules, Intake(lookups, None, stages), journey.at)
    lookups.close()
    read: dict[str, Any] = orjson.loads(orjson.dumps(document))
    return read
