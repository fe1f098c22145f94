"""The alert rules: objectives with burn rates over several windows, and what wants somebody whatever the objectives say.

Burn rates as in the Google SRE workbook, chapter 5: https://sre.google/workbook/alerting-on-slos/.
Each rule is judged per `app`, a label that the scrape configuration gives: two installations never hide each other.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

JOB, COLLECTOR, WEBHOOK = (f'job="leadstream{part}"' for part in ("", "-collector", "-webhook"))
WEBHOOKS = ".+-webhook(-letters)?"
"""Groups that commit nothing while a receiver is down, and the same offset while one fact is refused: they have own alerts."""
RUNBOOK = "docs/runbook"
WINDOWS = ("5m", "30m", "1h", "6h", "3d")


@dataclass(frozen=True, slots=True)
class Objective:
    """So much of what is measured must be faster than a bucket's bound; `budget` is the rest."""

    name: str
    histogram: str
    within_s: float
    what: str
    budget: float = 0.001

    def record(self, window: str) -> str:
        """Name the recorded part of what was too slow within a window."""
        return f"leadstream:{self.name}_late:ratio_rate{window}"

    def ratio(self, window: str) -> str:
        """Return the expression of that; without traffic it has no value, and nothing alarms."""
        fast = f'sum by (app) (rate({self.histogram}_bucket{{{JOB},le="{self.within_s}"}}[{window}]))'
        return f"1 - {fast} / sum by (app) (rate({self.histogram}_count{{{JOB}}}[{window}]))"

    def burns(self, factor: float, long: str, short: str) -> str:
        """Return the condition that the budget burns so much faster than it may, over a long window and still."""
        limit = f"{factor * self.budget:g}"
        return f"({self.record(long)} > {limit} and {self.record(short)} > {limit})"


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert; `wait` is how long its condition must hold."""

    name: str
    expr: str
    wait: str
    severity: Literal["page", "ticket"]
    summary: str

    @property
    def page(self) -> str:
        """The file of its runbook page, from the root of the repository."""
        return f"{RUNBOOK}/{self.name}.md"


OBJECTIVES = (
    Objective("event", "leadstream_event_latency_seconds", 2.0, "events are durable within 2 s"),
    Objective("stage_change", "leadstream_stage_change_latency_seconds", 5.0, "stage changes are acknowledged within 5 s"),
)


def burning(objective: Objective, name: str) -> Iterator[Alert]:
    """Yield the two alerts of an objective: one wakes somebody, one waits for the morning."""
    fast = f"{objective.burns(14.4, '1h', '5m')} or {objective.burns(6, '6h', '30m')}"
    yield Alert(
        f"{name}BudgetBurnsFast", fast, "2m", "page",
        f"Too few {objective.what}: a month's budget is gone within days",
    )  # fmt: skip
    yield Alert(
        f"{name}BudgetBurnsSlowly", objective.burns(1, "3d", "6h"), "1h", "ticket",
        f"Too few {objective.what}: a month's budget will not last",
    )  # fmt: skip


ALERTS = (
    *burning(OBJECTIVES[0], "LeadstreamEvent"),
    *burning(OBJECTIVES[1], "LeadstreamStageChange"),
    Alert(
        "LeadstreamClockStands", f"max by (app) (leadstream_people_clock_lag_seconds{{{JOB}}}) > 60", "1m", "page",
        "The people's clock is more than a minute behind: no stage is taken away, for anybody",
    ),
    Alert(
        "LeadstreamNobodyHasThePeople",
        f"count by (app) (up{{{JOB}}}) > 0"
        f" unless on(app) count by (app) (leadstream_people_clock_lag_seconds{{{JOB}}}) > 0", "3m", "page",
        "No worker holds the people: nothing is decided",
    ),
    Alert(
        "LeadstreamWorkerDown", f"up{{{JOB}}} == 0", "2m", "page",
        "Worker {{ $labels.instance }} does not answer",
    ),
    Alert(
        "LeadstreamWorkerNotReady", f"leadstream_ready{{{JOB}}} == 0", "10m", "ticket",
        "Worker {{ $labels.instance }} is not assigned, not restored, or does not reach Kafka",
    ),
    Alert(
        "LeadstreamWorkerRestarts", f"changes(process_start_time_seconds{{{JOB}}}[15m]) > 2", "0m", "page",
        "Worker {{ $labels.instance }} ends and is started again and again",
    ),
    Alert(
        "LeadstreamSecondWriter", f'increase(leadstream_exits_total{{{JOB},reason="second_writer"}}[15m]) > 0', "0m", "page",
        "Worker {{ $labels.instance }} ended because somebody else wrote its rows",
    ),
    Alert(
        "LeadstreamPartitionStopped",
        f'max by (app, group, topic, partition) (leadstream_partition_status{{group!~"{WEBHOOKS}"}}) == 4', "1m", "page",
        "{{ $labels.group }} has stopped at {{ $labels.topic }}-{{ $labels.partition }}",
    ),
    Alert(
        "LeadstreamPartitionStalled",
        f'max by (app, group, topic, partition) (leadstream_partition_status{{group!~"{WEBHOOKS}"}}) == 2', "1m", "page",
        "{{ $labels.group }} commits and does not move at {{ $labels.topic }}-{{ $labels.partition }}",
    ),
    Alert(
        "LeadstreamPartitionRewound", "max by (app, group, topic, partition) (leadstream_partition_status) == 3", "0m", "ticket",
        "{{ $labels.group }} reads again what it had done at {{ $labels.topic }}-{{ $labels.partition }}",
    ),
    Alert(
        "LeadstreamPartitionFallsBehind",
        "max by (app, group, topic, partition) (leadstream_partition_status) == 1", "15m", "ticket",
        "{{ $labels.group }} is behind and does not catch up at {{ $labels.topic }}-{{ $labels.partition }}",
    ),
    Alert(
        "LeadstreamPartitionUnknown", "max by (app, group, topic, partition) (leadstream_partition_status) == 5", "2m", "page",
        "Kafka does not tell how far {{ $labels.group }} is at {{ $labels.topic }}-{{ $labels.partition }}",
    ),
    Alert(
        "LeadstreamCanaryLost", f"max by (app, partition) (leadstream_canary_waiting_seconds{{{JOB}}}) > 60", "0m", "page",
        "A canary through partition {{ $labels.partition }} has not come back for a minute",
    ),
    Alert(
        "LeadstreamDeadLetters",
        f"sum by (app) (rate(leadstream_dead_letters_total{{{JOB}}}[15m]))"
        f' > 0.01 * sum by (app) (rate(leadstream_events_total{{{JOB},topic=~".*events"}}[15m]))',
        "10m", "ticket", "More than one event in a hundred cannot be processed",
    ),
    Alert(
        "LeadstreamCollectorFails",
        f'sum by (app) (rate(leadstream_collector_requests_total{{{COLLECTOR},status=~"5.."}}[5m]))'
        f" > 0.01 * sum by (app) (rate(leadstream_collector_requests_total{{{COLLECTOR}}}[5m]))",
        "5m", "page", "More than one request in a hundred to the collector is answered with an error of ours",
    ),
    Alert(
        "LeadstreamWebhookStands",
        f'max by (app, group) (kafka_consumergroup_group_lag_seconds{{{JOB},group=~".+-webhook"}}) > 600'
        f" unless on(app) sum by (app) (increase(leadstream_webhook_facts_total{{{WEBHOOK}}}[10m])) > 0",
        "0m", "page", "{{ $labels.group }} has told nothing for ten minutes, though a fact waits",
    ),
    Alert(
        "LeadstreamWebhookHeldUp",
        f'max by (app, group) (kafka_consumergroup_group_lag_seconds{{{JOB},group=~".+-webhook"}}) > 3600', "5m", "ticket",
        "The oldest fact that {{ $labels.group }} has to tell has waited for more than an hour",
    ),
    Alert(
        "LeadstreamWebhookDeadLetters",
        f"sum by (app) (increase(leadstream_webhook_dead_letters_total{{{WEBHOOK}}}[1h])) > 0", "0m", "ticket",
        "A fact went to the dead letters of webhooks: nobody took it",
    ),
    Alert(
        "LeadstreamReplicationOne", f"min by (app, topic) (leadstream_topic_replicas{{{JOB}}}) < 2", "15m", "ticket",
        "{{ $labels.topic }} has one copy: it is lost with its machine",
    ),
    Alert(
        "LeadstreamUnderReplicated",
        f"min by (app, topic) (leadstream_topic_in_sync_replicas{{{JOB}}} - leadstream_topic_replicas{{{JOB}}}) < 0",
        "5m", "page",
        "{{ $labels.topic }} has fewer copies in sync than it should have",
    ),
)  # fmt: skip


def rules() -> dict[str, Any]:
    """Return the rule file: recorded ratios, then alerts."""
    records = [
        {"record": objective.record(window), "expr": objective.ratio(window)} for objective in OBJECTIVES for window in WINDOWS
    ]  # fmt: skip
    alerts = [
        {
            "alert": alert.name,
            "expr": alert.expr,
            **({} if alert.wait == "0m" else {"for": alert.wait}),
            "labels": {"severity": alert.severity},
            "annotations": {"summary": alert.summary, "runbook_url": alert.page},
        }
        for alert in ALERTS
    ]
    return {"groups": [{"name": "leadstream-objectives", "rules": records}, {"name": "leadstream-alerts", "rules": alerts}]}
