"""The alert rules, tried by promtool: each alarms in its own case, and none while all is well."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.alerts import ALERTS, OBJECTIVES, WINDOWS, Alert, rules
from deploy.dashboards import dashboard
from deploy.exported import PROMETHEUS_OWN, families
from deploy.generate import generated
from stream.ops.metrics import SECONDS
from tests.brokers import ROOT
from tests.prometheus import tool

RULES = ROOT / "deploy" / "prometheus" / "alerts.yml"
WORKER = 'job="leadstream", instance="a:6066"'
EVENT, CHANGE = (objective.histogram for objective in OBJECTIVES)
SAMPLES = 2880
"""A sample every two minutes, for four days."""


def latency(histogram: str, bound: str, count: str, fast: str) -> list[dict[str, str]]:
    return [
        {"series": f'{histogram}_bucket{{{WORKER}, le="{bound}"}}', "values": fast},
        {"series": f"{histogram}_count{{{WORKER}}}", "values": count},
    ]


def gauge(name: str, values: str, **labels: str) -> dict[str, str]:
    told = "".join(f', {key}="{value}"' for key, value in labels.items())
    return {"series": f"{name}{{{WORKER}{told}}}", "values": values}


def read(values: str, topic: str = "events") -> dict[str, str]:
    """Return how many records of a topic were read."""
    return gauge("leadstream_events_total", values, topic=f"site.{topic}")


def answered(status: str, values: str) -> dict[str, str]:
    labels = f'job="leadstream-collector", instance="c:8080", status="{status}", reason=""'
    return {"series": f"leadstream_collector_requests_total{{{labels}}}", "values": values}


def told(name: str, values: str, **labels: str) -> dict[str, str]:
    """Return a series of a webhook's."""
    more = "".join(f', {key}="{value}"' for key, value in labels.items())
    return {"series": f'{name}{{job="leadstream-webhook", instance="w:6067"{more}}}', "values": values}


def oldest(values: str, group: str = "leadstream-webhook") -> dict[str, str]:
    """Return for how long a group's oldest fact waits."""
    return gauge("kafka_consumergroup_group_lag_seconds", values, group=group, topic="stage-changes", partition="3")


PLACE = {"group": "crm", "topic": "stage-changes", "partition": "3"}
TELLING = PLACE | {"group": "leadstream-webhook"}
"""It commits nothing while its receiver is down, and the same offset while one fact is refused."""
WELL = [
    gauge("up", f"1x{SAMPLES}"),
    gauge("process_start_time_seconds", f"7x{SAMPLES}"),
    gauge("leadstream_ready", f"1x{SAMPLES}"),
    gauge("leadstream_people_clock_lag_seconds", f"1.5x{SAMPLES}", partition="2"),
    gauge("leadstream_partition_status", f"0x{SAMPLES}", **PLACE),
    gauge("leadstream_canary_waiting_seconds", f"0x{SAMPLES}", partition="2"),
    gauge("leadstream_exits_total", f"2x{SAMPLES}", reason="second_writer"),
    gauge("leadstream_topic_replicas", f"3x{SAMPLES}", topic="events"),
    gauge("leadstream_topic_in_sync_replicas", f"3x{SAMPLES}", topic="events"),
    gauge("leadstream_dead_letters_total", f"0+5x{SAMPLES}", reason="not_json"),
    read(f"0+6000x{SAMPLES}"),
    oldest(f"0.5x{SAMPLES}"),
    told("leadstream_webhook_facts_total", f"0+60x{SAMPLES}"),
    told("leadstream_webhook_dead_letters_total", f"2x{SAMPLES}"),
    answered("200", f"0+1000x{SAMPLES}"),
    answered("503", f"0+1x{SAMPLES}"),
    *latency(EVENT, "2.0", f"0+6000x{SAMPLES}", f"0+5999x{SAMPLES}"),
    *latency(CHANGE, "5.0", f"0+60x{SAMPLES}", f"0+60x{SAMPLES}"),
]
"""Four days on which nothing is wrong."""

CASES: dict[str, tuple[list[dict[str, str]], str, dict[str, str]]] = {
    "LeadstreamEventBudgetBurnsFast": (latency(EVENT, "2.0", "0+6000x90", "0+5800x90"), "75m", {}),
    "LeadstreamEventBudgetBurnsSlowly": (latency(EVENT, "2.0", "0+6000x5000", "0+5990x5000"), "80h", {}),
    "LeadstreamStageChangeBudgetBurnsFast": (latency(CHANGE, "5.0", "0+600x90", "0+580x90"), "75m", {}),
    "LeadstreamStageChangeBudgetBurnsSlowly": (latency(CHANGE, "5.0", "0+6000x5000", "0+5990x5000"), "80h", {}),
    "LeadstreamClockStands": ([gauge("leadstream_people_clock_lag_seconds", "1 20 61+60x9", partition="2")], "5m", {}),
    "LeadstreamNobodyHasThePeople": ([gauge("up", "1x20")], "6m", {}),
    "LeadstreamWorkerDown": ([gauge("up", "1 0x9")], "5m", {"job": "leadstream", "instance": "a:6066"}),
    "LeadstreamWorkerNotReady": ([gauge("leadstream_ready", "1 0x30")], "15m", {"job": "leadstream", "instance": "a:6066"}),
    "LeadstreamWorkerRestarts": (
        [gauge("process_start_time_seconds", "1 1 2 2 3 3 4 4 4")], "8m", {"job": "leadstream", "instance": "a:6066"},
    ),
    "LeadstreamSecondWriter": (
        [gauge("leadstream_exits_total", "2 2 2 _ _ 3 3 3", reason="second_writer")], "7m",
        {"job": "leadstream", "instance": "a:6066", "reason": "second_writer"},
    ),
    "LeadstreamPartitionStopped": ([gauge("leadstream_partition_status", "0 0 4x9", **PLACE)], "5m", PLACE),
    "LeadstreamPartitionStalled": ([gauge("leadstream_partition_status", "0 0 2x9", **PLACE)], "5m", PLACE),
    "LeadstreamPartitionRewound": ([gauge("leadstream_partition_status", "0 0 3", **PLACE)], "2m", PLACE),
    "LeadstreamPartitionFallsBehind": ([gauge("leadstream_partition_status", "0 1x30", **PLACE)], "20m", PLACE),
    "LeadstreamCanaryLost": ([gauge("leadstream_canary_waiting_seconds", "0 30 90", partition="2")], "2m", {"partition": "2"}),
    "LeadstreamDeadLetters": (
        [gauge("leadstream_dead_letters_total", "0+100x40", reason="not_json"), read("0+6000x40"), read("0+9000x40", "wakes")],
        "30m", {},
    ),
    "LeadstreamCollectorFails": ([answered("200", "0+990x20"), answered("503", "0+11x20")], "12m", {}),
    "LeadstreamPartitionUnknown": ([gauge("leadstream_partition_status", "0 0 5x9", **PLACE)], "6m", PLACE),
    "LeadstreamWebhookStands": (
        [oldest("0 60+60x20"), told("leadstream_webhook_facts_total", "0+9x3 27x30")], "16m", {"group": "leadstream-webhook"},
    ),
    "LeadstreamWebhookHeldUp": ([oldest("0 60+60x90")], "70m", {"group": "leadstream-webhook"}),
    "LeadstreamWebhookDeadLetters": ([told("leadstream_webhook_dead_letters_total", "0x9 1x30")], "15m", {}),
    "LeadstreamReplicationOne": ([gauge("leadstream_topic_replicas", "1x30", topic="events")], "20m", {"topic": "events"}),
    "LeadstreamUnderReplicated": (
        [gauge("leadstream_topic_replicas", "3x30", topic="events"),
         gauge("leadstream_topic_in_sync_replicas", "2x30", topic="events")], "10m", {"topic": "events"},
    ),
}  # fmt: skip
NEARLY: dict[str, tuple[list[dict[str, str]], str]] = {
    "LeadstreamEventBudgetBurnsFast": (latency(EVENT, "2.0", "0+6000x90", "0+5965x90"), "75m"),
    "LeadstreamEventBudgetBurnsSlowly": (latency(EVENT, "2.0", "0+60000x5000", "0+59946x5000"), "80h"),
    "LeadstreamStageChangeBudgetBurnsFast": (latency(CHANGE, "5.0", "0+6000x90", "0+5965x90"), "75m"),
    "LeadstreamStageChangeBudgetBurnsSlowly": (latency(CHANGE, "5.0", "0+60000x5000", "0+59946x5000"), "80h"),
    "LeadstreamClockStands": ([gauge("leadstream_people_clock_lag_seconds", "59x9", partition="2")], "5m"),
    "LeadstreamNobodyHasThePeople": (
        [gauge("up", "1x20"), gauge("leadstream_people_clock_lag_seconds", "1 1 stale stale 1x9", partition="2")], "4m",
    ),
    "LeadstreamWorkerDown": ([gauge("up", "1 0 1x9")], "4m"),
    "LeadstreamWorkerNotReady": ([gauge("leadstream_ready", "1 0x8 1x9")], "11m"),
    "LeadstreamWorkerRestarts": ([gauge("process_start_time_seconds", "1 1 2 2 3 3 3 3 3")], "8m"),
    "LeadstreamSecondWriter": ([gauge("leadstream_exits_total", "0x9", reason="second_writer"),
                                gauge("leadstream_exits_total", "0+1x9", reason="frozen")], "7m"),
    "LeadstreamPartitionStopped": (
        [gauge("leadstream_partition_status", "0 4 0 4 0 4 0", **PLACE),
         gauge("leadstream_partition_status", "4x9", **TELLING),
         gauge("leadstream_partition_status", "4x9", **TELLING | {"group": "leadstream-webhook-letters"})], "8m",
    ),
    "LeadstreamPartitionStalled": (
        [gauge("leadstream_partition_status", "0 2 0 2 0 2 0", **PLACE), gauge("leadstream_partition_status", "2x9", **TELLING)],
        "8m",
    ),
    "LeadstreamPartitionUnknown": ([gauge("leadstream_partition_status", "0 5x1 0 5x1 4x9", **PLACE)], "9m"),
    "LeadstreamPartitionRewound": ([gauge("leadstream_partition_status", "0 0 2 4 1", **PLACE)], "4m"),
    "LeadstreamPartitionFallsBehind": ([gauge("leadstream_partition_status", "0 1x13 0x9", **PLACE)], "18m"),
    "LeadstreamCanaryLost": ([gauge("leadstream_canary_waiting_seconds", "0 30 60", partition="2")], "2m"),
    "LeadstreamDeadLetters": (
        [gauge("leadstream_dead_letters_total", "0+59x40", reason="not_json"), read("0+6000x40"),
         *latency(EVENT, "2.0", "0+10x40", "0+10x40")], "30m",
    ),
    "LeadstreamCollectorFails": ([answered("200", "0+991x20"), answered("503", "0+9x20")], "12m"),
    "LeadstreamWebhookStands": (
        [oldest("0 60+60x29"), oldest("0 60+60x29", "crm"), told("leadstream_webhook_facts_total", "0x3 1x9 2x9 3x9")], "27m",
    ),
    "LeadstreamWebhookHeldUp": ([oldest("3601x3 0 60+60x58"), oldest("7200x90", "crm")], "60m"),
    "LeadstreamWebhookDeadLetters": ([told("leadstream_webhook_dead_letters_total", "3x40")], "30m"),
    "LeadstreamReplicationOne": ([gauge("leadstream_topic_replicas", "1x13 2x9", topic="events")], "18m"),
    "LeadstreamUnderReplicated": (
        [gauge("leadstream_topic_replicas", "3x30", topic="events"),
         gauge("leadstream_topic_in_sync_replicas", "2x3 3x9", topic="events")], "8m",
    ),
}  # fmt: skip
"""Not bad enough, not for long enough, or not this: while a history loads, its events have no latency, its dead letters count."""
BY_NAME = {alert.name: alert for alert in ALERTS}


def expected(alert: Alert, labels: dict[str, str]) -> dict[str, Any]:
    summary = re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda found: labels[found[1]], alert.summary)
    return {
        "exp_labels": {"severity": alert.severity, **labels},
        "exp_annotations": {"summary": summary, "runbook_url": alert.page},
    }


def tried(tests: list[dict[str, Any]], folder: Path, every: str = "1m") -> str:
    """Let promtool try the rules, evaluated so often; return what it says where it fails."""
    file = folder / "tests.yml"
    order = [group["name"] for group in rules()["groups"]]
    asked = {"rule_files": [str(RULES)], "evaluation_interval": every, "group_eval_order": order, "tests": tests}
    file.write_text(json.dumps(asked))
    done = subprocess.run([str(tool("promtool")), "test", "rules", str(file)], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


@pytest.mark.parametrize(("unit", "every"), [("m", "1m"), ("h", "30m")], ids=["within minutes", "within days"])
def test_each_alert_alarms_in_its_case(unit: str, every: str, tmp_path: Path) -> None:
    tests = [
        {
            "name": name,
            "interval": "1m",
            "input_series": series,
            "alert_rule_test": [{"eval_time": at, "alertname": name, "exp_alerts": [expected(BY_NAME[name], labels)]}],
        }
        for name, (series, at, labels) in CASES.items()
        if at.endswith(unit)
    ]
    assert tried(tests, tmp_path, every) == ""


@pytest.mark.parametrize(("unit", "every"), [("m", "1m"), ("h", "30m")], ids=["within minutes", "within days"])
def test_each_alert_is_silent_where_it_is_nearly_its_case(unit: str, every: str, tmp_path: Path) -> None:
    tests = [
        {
            "name": name,
            "interval": "1m",
            "input_series": series,
            "alert_rule_test": [{"eval_time": f"{time}{unit}", "alertname": name, "exp_alerts": []} for time in times(at)],
        }
        for name, (series, at) in NEARLY.items()
        if at.endswith(unit)
    ]
    assert tried(tests, tmp_path, every) == ""


def of_app(series: dict[str, str], app: str) -> dict[str, str]:
    """Return a series as it is scraped of an installation that has a label of its own."""
    return series | {"series": series["series"].replace("{job=", f'{{app="{app}", job=')}


def test_a_healthy_installation_hides_no_sick_one(tmp_path: Path) -> None:
    """Two in one Prometheus: the one told its facts and held its people, and the other's pages were silent for it."""
    well = [of_app(series, "b2b") for series in WELL]
    tests = [
        {
            "name": name,
            "interval": "1m",
            "input_series": [*well, *(of_app(one, "shop") for one in series)],
            "alert_rule_test": [
                {"eval_time": at, "alertname": name, "exp_alerts": [expected(BY_NAME[name], labels | {"app": "shop"})]}
            ],
        }
        for name, (series, at, labels) in CASES.items()
        if at.endswith("m")
    ]
    assert tried(tests, tmp_path) == ""


def times(at: str) -> range:
    """Return all the full minutes, or hours from the seventh on, until then: at no time may it alarm."""
    return range(7, int(at[:-1]) + 1, 8) if at.endswith("h") else range(int(at[:-1]) + 1)


def test_each_alert_has_a_case_and_nearly_one() -> None:
    assert CASES.keys() == NEARLY.keys() == BY_NAME.keys()


def test_no_alert_alarms_in_four_days_on_which_all_is_well(tmp_path: Path) -> None:
    silent: list[dict[str, Any]] = [
        {"eval_time": at, "alertname": name, "exp_alerts": []} for name in BY_NAME for at in ("30m", "7h", "95h")
    ]
    assert tried([{"interval": "2m", "input_series": WELL, "alert_rule_test": silent}], tmp_path, "30m") == ""


def test_nothing_alarms_where_nothing_comes(tmp_path: Path) -> None:
    quiet = [series | {"values": re.sub(r"0\+\d+x", "0x", series["values"])} for series in WELL]
    silent: list[dict[str, Any]] = [{"eval_time": "95h", "alertname": name, "exp_alerts": []} for name in BY_NAME]
    assert tried([{"interval": "2m", "input_series": quiet, "alert_rule_test": silent}], tmp_path, "30m") == ""


def test_promtool_accepts_the_generated_rules() -> None:
    done = subprocess.run([str(tool("promtool")), "check", "rules", str(RULES)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_generated_files_are_current() -> None:
    for path, text in generated().items():
        assert path.read_text() == text, f"{path.name}: run `python -m deploy.generate`"
    assert yaml.safe_load(RULES.read_text()) == rules()


def series_in(expr: str) -> set[str]:
    """Return the names of metrics in an expression: what is no function, label, keyword or duration."""
    bare = re.sub(r'"[^"]*"|\[[^]]*\]|\{[^}]*\}|\b(?:by|on) \([^)]*\)', " ", expr)
    return set(re.findall(r"\b(?:kafka|leadstream|process|up)(?:[\w:]*)\b", bare))


def test_no_alert_names_a_metric_that_is_not_exported() -> None:
    exported = {name for family in families().values() for name in family.series} | PROMETHEUS_OWN.keys()
    recorded = {objective.record(window) for objective in OBJECTIVES for window in WINDOWS}
    expressions = [rule["expr"] for group in rules()["groups"] for rule in group["rules"]]
    named = {name for expr in expressions for name in series_in(expr)}
    assert len(named) > 15
    assert named <= exported | recorded


def test_no_panel_names_a_metric_that_is_not_exported_and_none_is_left_out() -> None:
    exported = {name for family in families().values() for name in family.series}
    named = {name for panel in dashboard()["panels"] for query in panel.get("targets", ()) for name in series_in(query["expr"])}
    assert named <= exported
    for family in families().values():
        assert named & set(family.series), f"{family.name} is on no panel"


def test_an_objective_is_a_bound_of_its_histogram() -> None:
    assert {objective.within_s for objective in OBJECTIVES} <= set(SECONDS)


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_each_alert_has_a_page_in_the_runbook(alert: Alert) -> None:
    text = (ROOT / alert.page).read_text()
    assert text.startswith(f"# {alert.name}\n")
    for heading in ("## What it means", "## How to see it", "## What to do"):
        assert heading in text


def test_each_page_of_an_alert_has_its_alert() -> None:
    pages = {path.stem for path in (ROOT / "docs" / "runbook").glob("Leadstream*.md")}
    assert pages == BY_NAME.keys()
