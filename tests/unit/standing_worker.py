"""A worker that stands still: real rows and a real people fold, fed by the simulation, without Kafka."""

from collections.abc import Iterable, Mapping
from types import SimpleNamespace
from typing import Any, cast

import orjson
from faust.types import TP

from stream import rulesets
from stream.agents.leadstream import Leadstream
from stream.agents.rules import RULESET_KEY, RulesInForce
from stream.agents.topics import Topics
from stream.domain import instants, visitor
from stream.domain.log import Tick, encode
from stream.domain.people import People
from stream.domain.ruleset.load import load
from stream.intake import Intake
from stream.lookups import Lookups
from stream.ops.metrics import Metrics
from stream.runtime.ticks import Progress
from stream.settings import Settings
from stream.simulation import Simulation

START = instants.parse("2026-11-01T10:00:00Z")
DAY = 86_400_000
RULES = load(rulesets.default_text())
_INTAKE = Intake(Lookups(), None, {stage.name for stage in RULES.stages})


def line(day: float, **event: Any) -> bytes:
    """Return one event, received `day` days after the start."""
    return orjson.dumps({"receivedAt": instants.write(START + int(day * DAY)), **event})


def buyer() -> list[bytes]:
    """Return the story of somebody who reads, registers, and attends; and of a shared cookie and a stranger."""
    price = {"type": "page", "context": {"page": {"url": "https://x.example/pricing"}}}
    return [
        line(0, anonymousId="9f2c", **price),
        line(1, type="identify", userId="42", anonymousId="9f2c", traits={"email": "buyer@acme.example"}),
        line(1.5, type="track", event="Broadcast Watched", userId="42"),
        line(2, type="track", event="Meeting Attended", userId="42"),
        line(3, type="identify", userId="77", anonymousId="kiosk"),
        line(3.1, type="identify", userId="78", anonymousId="kiosk"),
        line(3.2, type="identify", userId="99", traits={"email": "other@acme.example"}),
        line(4, anonymousId="stranger", **price),
    ]


def merged() -> list[bytes]:
    """Return two leads that turn out to be one: `mail` ends, `user` was identified first."""
    return [
        line(0, type="identify", userId="42"),
        line(1, type="identify", externalIds=[], context={"externalIds": [{"type": "email", "id": "b@acme.example"}]}),
        line(2, type="identify", userId="42", traits={"email": "b@acme.example"}),
    ]


class StandingWorker(Leadstream):
    """A worker that read these lines.

    Args:
        lines: events in log order.
        assignment: what the group gave to whom, by URL; default: everything to this worker.
        holds: whether what it was given is restored.
        settings: like `web_token="…"`.
    """

    def __init__(
        self,
        lines: Iterable[bytes] = (),
        assignment: Mapping[str, Mapping[str, Iterable[int]]] | None = None,
        *,
        holds: Iterable[str] = ("events", "people"),
        **settings: Any,
    ) -> None:
        chosen = Settings(partitions=4, **settings)
        topics = Topics.of("")
        own = f"http://{chosen.advertised}"
        assigned = {own: {"events": range(4), "people": [0]}} if assignment is None else assignment
        running = {TP(name, n) for name, ns in assigned.get(own, {}).items() if name in holds for n in ns}
        self.simulation = Simulation(RULES, _INTAKE)
        for text in lines:
            self.simulation.feed(text)
        stored = self._rows()
        app = SimpleNamespace(
            assignor=SimpleNamespace(external_topics_metadata=lambda: assigned),
            tables={"visitors": SimpleNamespace(data=stored), "people": SimpleNamespace(data=self.fold.rows.stored)},
        )
        self.standing = SimpleNamespace(app=app, running=running, alive=True, ready=True, recovery_s=0.5, restoring=None)
        self.standing.progress = {tp: Progress(0) for tp in running}
        super().__init__(chosen, cast("Any", self.standing), topics, Metrics())
        part = SimpleNamespace(bytes_of=stored.get, stored=stored)
        table = SimpleNamespace(open=lambda _: part)
        self.visitors = cast("Any", SimpleNamespace(table=table, ruleset=lambda _: RULES))
        self.people_log = cast("Any", SimpleNamespace(table=SimpleNamespace(open=lambda _: SimpleNamespace(fold=self.fold))))

    @property
    def fold(self) -> People:
        """The people."""
        return self.simulation.people

    def _rows(self) -> dict[bytes, bytes]:
        rows = {node.encode(): visitor.encode(row) for node, row in self.simulation.rows.items()}
        return {RULESET_KEY: RulesInForce(RULES).row(), **rows}

    def tick(self, until: int) -> None:
        """Let the people's clock run."""
        self.fold.apply(self.simulation.line + 1, encode(Tick(0, until)))
