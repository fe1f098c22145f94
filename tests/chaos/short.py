"""The short schedules that are part of every test run."""

from pathlib import Path

from tests.chaos.cluster import Clusters
from tests.chaos.run import Run
from tests.chaos.schedule import schedule

SEED, EVENTS, BLOWS, SESSION_S = 5, 20_000, 5, 6.0
KEPT: list[tuple[int, int]] = []
"""(seed, schedule) of those that once failed."""


def short(clusters: Clusters, folder: Path, seed: int, number: int) -> list[str]:
    """Run a short schedule and return what is wrong; what was there is kept in the folder."""
    plan = schedule(seed, number, BLOWS, SESSION_S)
    return Run(plan, EVENTS, folder / plan.seed, SESSION_S, clusters.of(plan.brokers)).play().wrong
