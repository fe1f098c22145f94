"""The short schedules that are part of every test run."""

from pathlib import Path

from tests.chaos.cluster import Clusters
from tests.chaos.run import Run
from tests.chaos.schedule import schedule

SEED, EVENTS, BLOWS, SESSION_S = 5, 20_000, 5, 6.0
NOT_SENT = "records from outside, "
KEPT: list[tuple[int, int]] = []
"""(seed, schedule) of those that once failed."""


def short(clusters: Clusters, folder: Path, seed: int, number: int) -> list[str]:
    """Run a short schedule and return what is wrong; what was there is kept in the folder.

    Once in sixty schedules the first four records that a test client sent to a young topic were acknowledged and lay nowhere:
    then nothing was tried, and it is played again.
    """
    plan = schedule(seed, number, BLOWS, SESSION_S)
    for name in (plan.seed, f"{plan.seed}-again"):
        wrong = Run(plan, EVENTS, folder / name, SESSION_S, clusters.of(plan.brokers)).play().wrong
        if not wrong or not all(NOT_SENT in line for line in wrong):
            break
    return wrong
