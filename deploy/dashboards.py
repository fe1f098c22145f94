"""The Grafana dashboard: what operators look at first on top, and every other metric below, so that none is forgotten."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from deploy.exported import Family, families

SOURCE = {"type": "prometheus", "uid": "${source}"}
WIDTH = 24
STATUSES = {
    "0": ("OK", "green"),
    "1": ("WARN", "yellow"),
    "2": ("STALL", "orange"),
    "3": ("REWIND", "purple"),
    "4": ("STOP", "red"),
    "5": ("UNKNOWN", "dark-red"),
}


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel: `queries` are pairs of expression and legend."""

    title: str
    queries: Sequence[tuple[str, str]]
    unit: str = "short"
    kind: str = "timeseries"
    width: int = 8
    description: str = ""
    mappings: Mapping[str, tuple[str, str]] = field(default_factory=dict)


def quantiles(histogram: str) -> list[tuple[str, str]]:
    """Return queries for the median, and what one in a hundred and one in a thousand exceed."""
    rate = f"sum by (le) (rate({histogram}_bucket[$__rate_interval]))"
    return [(f"histogram_quantile({q}, {rate})", legend) for q, legend in ((0.5, "p50"), (0.99, "p99"), (0.999, "p99.9"))]


def rates(*names: str, by: str = "") -> list[tuple[str, str]]:
    """Return a query a counter: how often a second, summed over workers."""
    labels = f" by ({by})" if by else ""
    legend = " ".join(f"{{{{{label.strip()}}}}}" for label in by.split(",")) if by else ""
    return [(f"sum{labels} (rate({name}[$__rate_interval]))", legend or name.removeprefix("leadstream_")) for name in names]


ROWS: tuple[tuple[str, tuple[Panel, ...]], ...] = (
    (
        "How old the news is",
        (
            Panel("Event to durable", quantiles("leadstream_event_latency_seconds"), "s", description="Objective: 99.9 % in 2 s"),
            Panel(
                "Cause to acknowledged stage change", quantiles("leadstream_stage_change_latency_seconds"), "s",
                description="Objective: 99.9 % in 5 s",
            ),
            Panel("Canary, the whole way", quantiles("leadstream_canary_latency_seconds"), "s"),
            Panel(
                "The people's clock is behind by",
                [("max by (partition) (leadstream_people_clock_lag_seconds)", "held by {{partition}}")], "s",
                description="While it stands no stage is taken away, for anybody",
            ),
            Panel("Each tick is behind by", [("max by (partition) (leadstream_clock_lag_seconds)", "{{partition}}")], "s"),
            Panel(
                "Canaries that are not back", [("max by (partition) (leadstream_canary_waiting_seconds)", "{{partition}}")], "s",
            ),
        ),
    ),
    (
        "Lag",
        (
            Panel(
                "Status by Burrow's rules",
                [("max by (group, topic, partition) (leadstream_partition_status)", "{{group}} {{topic}} {{partition}}")],
                kind="state-timeline", width=24, mappings=STATUSES,
            ),
            Panel("Longest wait of each group", [("max by (group) (kafka_consumergroup_group_lag_seconds)", "{{group}}")], "s"),
            Panel(
                "Longest waits",
                [("topk(10, kafka_consumergroup_group_lag_seconds)", "{{group}} {{topic}} {{partition}}")], "s",
            ),
            Panel("Most records behind", [("topk(10, kafka_consumergroup_group_lag)", "{{group}} {{topic}} {{partition}}")]),
        ),
    ),
    (
        "What comes and goes",
        (
            Panel("Records read", rates("leadstream_events_total", by="topic"), "ops"),
            Panel(
                "What became of events",
                rates(*(f"leadstream_{what}_total" for what in ("applied", "duplicates", "echoes", "own", "forwarded"))), "ops",
            ),
            Panel("Dead letters", rates("leadstream_dead_letters_total", by="reason"), "ops"),
            Panel("Stage changes", rates("leadstream_stage_changes_total", by="from, to"), "ops"),
            Panel("Why", rates("leadstream_stage_changes_total", by="reason"), "ops"),
            Panel("Late events", rates("leadstream_late_events_total"), "ops"),
        ),
    ),
    (
        "Collector",
        (
            Panel("Events by what became of them", rates("leadstream_collector_events_total", by="outcome"), "ops"),
            Panel("Events by write key", rates("leadstream_collector_events_total", by="key"), "ops"),
            Panel("Requests by answer", rates("leadstream_collector_requests_total", by="status, reason"), "ops"),
        ),
    ),
    (
        "Webhooks",
        (
            Panel("Attempts by answer", rates("leadstream_webhook_attempts_total", by="answer"), "ops"),
            Panel("Read and not told", [("sum by (instance) (leadstream_webhook_waiting)", "{{instance}}")]),
            Panel("From Kafka to told", quantiles("leadstream_webhook_latency_seconds"), "s"),
            Panel("A receiver's answer takes", quantiles("leadstream_webhook_attempt_seconds"), "s"),
            Panel("Told", rates("leadstream_webhook_facts_total"), "ops"),
            Panel("Dead letters of webhooks", [("sum (increase(leadstream_webhook_dead_letters_total[1h]))", "an hour")]),
        ),
    ),
    (
        "Workers and Kafka",
        (
            Panel("Ready", [("leadstream_ready", "{{instance}}")]),
            Panel("Ended by itself", [("sum by (reason) (increase(leadstream_exits_total[1h]))", "{{reason}}")]),
            Panel("Started", [("changes(process_start_time_seconds[1h])", "{{instance}}")]),
            Panel("Checkpoint", [("leadstream_checkpoint_seconds", "{{instance}}")], "s"),
            Panel("Memory", [("process_resident_memory_bytes", "{{instance}}")], "bytes"),
            Panel("Processor", [("rate(process_cpu_seconds_total[$__rate_interval])", "{{instance}}")], "percentunit"),
            Panel("Rows", [("sum by (table) (leadstream_table_rows)", "{{table}}")]),
            Panel("Copies", [("min by (topic) (leadstream_topic_replicas)", "{{topic}}")]),
            Panel("Copies in sync", [("min by (topic) (leadstream_topic_in_sync_replicas)", "{{topic}}")]),
        ),
    ),
)  # fmt: skip


def generic(family: Family) -> Panel:
    """Return a panel for a metric that has none of its own."""
    title, unit = family.name, "s" if family.name.endswith("_seconds") else "short"
    if family.kind == "histogram":
        return Panel(title, quantiles(family.name), "s", description=family.documentation)
    labels = ", ".join(family.labels)
    if family.kind == "counter":
        return Panel(title, rates(family.name, by=labels), "ops", description=family.documentation)
    legend = " ".join(f"{{{{{label}}}}}" for label in ("instance", *family.labels))
    return Panel(title, [(family.name, legend)], unit, description=family.documentation)


def rows() -> Iterator[tuple[str, Sequence[Panel]]]:
    """Yield every row with its panels."""
    yield from ROWS
    shown = " ".join(expr for _, panels in ROWS for panel in panels for expr, _ in panel.queries)
    rest = [family for family in families().values() if not any(series in shown for series in family.series)]
    yield "Everything else", [generic(family) for family in rest]


def dashboard() -> dict[str, Any]:
    """Return the dashboard as Grafana reads it."""
    panels: list[dict[str, Any]] = []
    numbers, y = count(1), 0
    for title, members in rows():
        panels.append(
            {"type": "row", "id": next(numbers), "title": title, "collapsed": False, "panels": [], "gridPos": _at(0, y, WIDTH, 1)}
        )
        x, y = 0, y + 1
        for panel in members:
            if x + panel.width > WIDTH:
                x, y = 0, y + 8
            panels.append(_panel(panel, next(numbers), _at(x, y, panel.width, 8)))
            x += panel.width
        y += 8
    return {
        "uid": "leadstream", "title": "leadstream", "tags": ["leadstream"], "timezone": "utc", "editable": True,
        "schemaVersion": 36,
        "refresh": "10s", "time": {"from": "now-1h", "to": "now"}, "panels": panels, "annotations": {"list": []},
        "templating": {"list": [{"type": "datasource", "name": "source", "label": "Prometheus", "query": "prometheus"}]},
    }  # fmt: skip


def _panel(panel: Panel, number: int, place: dict[str, int]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "type": panel.kind, "id": number, "title": panel.title, "gridPos": place, "datasource": SOURCE,
        "targets": [
            {"refId": chr(ord("A") + index), "expr": expr, "legendFormat": legend, "datasource": SOURCE}
            for index, (expr, legend) in enumerate(panel.queries)
        ],
        "fieldConfig": {"defaults": {"unit": panel.unit}, "overrides": []},
    }  # fmt: skip
    if panel.description:
        made["description"] = panel.description
    if panel.mappings:
        options = {
            value: {"text": text, "color": colour, "index": int(value)} for value, (text, colour) in panel.mappings.items()
        }
        made["fieldConfig"]["defaults"]["mappings"] = [{"type": "value", "options": options}]
    return made


def _at(x: int, y: int, width: int, height: int) -> dict[str, int]:
    return {"x": x, "y": y, "w": width, "h": height}
