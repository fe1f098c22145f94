"""What is deployed: the profile `ops`, the cluster, the systemd units: what can be known without starting anything."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from deploy.alerts import COLLECTOR, JOB, WEBHOOK
from deploy.dashboards import dashboard
from stream.settings import Settings, load
from tests.brokers import ROOT
from tests.compose import CLUSTER, FILE, resolved
from tests.prometheus import tool
from tests.units import FOLDER, PROGRAM, command, environment, values

UNITS = ("leadstream-worker@.service", "leadstream-collector.service", "leadstream-webhook.service")
GRAFANA = ROOT / "deploy" / "grafana"


def test_prometheus_and_grafana_come_with_the_profile_ops_only() -> None:
    assert set(resolved(FILE, "ops")["services"]) - set(resolved()["services"]) == {"prometheus", "grafana"}


@pytest.mark.parametrize("file", [FILE, CLUSTER], ids=["ops", "cluster"])
def test_ports_are_published_on_loopback_only_and_once(file: Path) -> None:
    ports = [port for service in resolved(file, "ops")["services"].values() for port in service.get("ports", [])]
    assert {port["host_ip"] for port in ports} == {"127.0.0.1"}
    assert len({port["published"] for port in ports}) == len(ports)


def test_what_is_mounted_is_there() -> None:
    for service in resolved(FILE, "ops")["services"].values():
        for volume in service.get("volumes", []):
            assert volume["type"] == "volume" or Path(volume["source"]).is_dir()


def test_prometheus_gets_the_token_that_the_worker_wants() -> None:
    told = resolved(FILE, "ops")
    (mounted,) = told["services"]["prometheus"]["configs"]
    config = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    files = {job["authorization"]["credentials_file"] for job in config["scrape_configs"]}
    assert files == {mounted["target"]}
    assert told["configs"][mounted["source"]]["content"] == told["services"]["worker"]["environment"]["LEADSTREAM_WEB_TOKEN"]


def test_prometheus_scrapes_services_of_the_file_under_the_job_of_the_rules() -> None:
    config = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    services = resolved(FILE, "ops", "webhook")["services"]
    jobs = {job["job_name"]: job["static_configs"][0]["targets"] for job in config["scrape_configs"]}
    assert jobs.keys() == {job.removeprefix('job="').removesuffix('"') for job in (JOB, COLLECTOR, WEBHOOK)}
    for targets in jobs.values():
        for target in targets:
            name, port = target.split(":")
            ports = {str(published["target"]) for published in services[name].get("ports", ())} | set(
                services[name].get("expose", ())
            )
            assert port in ports


def test_the_webhook_answers_prometheus_where_it_is_asked() -> None:
    environments = (resolved(FILE, "webhook")["services"]["webhook"]["environment"], environment(UNITS[2], "", ROOT))
    assert {told["LEADSTREAM_WEBHOOK_PORT"] for told in environments} == {"6067"}


def test_the_units_of_one_machine_have_a_port_each(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As the first line of the workers' unit enables them: a second one on a port that is taken would end, and stay so."""
    told = [environment(UNITS[0], number, tmp_path) for number in ("1", "2")]
    ports = [each["LEADSTREAM_WEB_PORT"] for each in told] + [environment(UNITS[2], "", tmp_path)["LEADSTREAM_WEBHOOK_PORT"]]
    assert len({*ports, str(Settings().collector_port)}) == 4
    monkeypatch.chdir(tmp_path)
    for name, value in told[1].items():
        monkeypatch.setenv(name, value)
    assert load().advertised == f"127.0.0.1:{ports[1]}"


def test_promtool_accepts_prometheus_settings(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("local")
    shutil.copy(ROOT / "deploy/prometheus/alerts.yml", tmp_path)
    text = (ROOT / "deploy/prometheus/prometheus.yml").read_text().replace("/run/secrets/leadstream-web-token", str(token))
    file = tmp_path / "prometheus.yml"
    file.write_text(text)
    done = subprocess.run([str(tool("promtool")), "check", "config", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout


def test_grafana_finds_its_source_and_its_dashboard() -> None:
    services = resolved(FILE, "ops")["services"]
    (source,) = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text())["datasources"]
    (provider,) = yaml.safe_load((GRAFANA / "provisioning/dashboards/leadstream.yml").read_text())["providers"]
    assert source["url"].removeprefix("http://").split(":")[0] in services
    assert source["type"] == dashboard()["templating"]["list"][0]["query"]
    mounted = {volume["target"]: Path(volume["source"]) for volume in services["grafana"]["volumes"]}
    assert mounted[provider["options"]["path"]].joinpath("leadstream.json").is_file()
    assert mounted["/etc/grafana/provisioning"] == GRAFANA / "provisioning"


def test_the_cluster_is_three_kafkas_and_two_workers_and_loses_nothing_with_one() -> None:
    services = resolved(CLUSTER)["services"]
    assert set(services) == {"kafka-1", "kafka-2", "kafka-3", "topics", "worker-1", "worker-2"}
    kafkas = [services[f"kafka-{n}"]["environment"] for n in (1, 2, 3)]
    assert {kafka["KAFKA_NODE_ID"] for kafka in kafkas} == {"1", "2", "3"}
    assert len({(kafka["CLUSTER_ID"], kafka["KAFKA_CONTROLLER_QUORUM_VOTERS"]) for kafka in kafkas}) == 1
    workers = [services[name]["environment"] for name in ("worker-1", "worker-2")]
    assert len({worker["LEADSTREAM_INSTANCE"] for worker in workers}) == 2
    assert len({worker["LEADSTREAM_WEB_ADVERTISE"] for worker in workers}) == 2


@pytest.mark.parametrize("service", ["topics", "worker-1", "worker-2"])
def test_the_clusters_settings_are_accepted(service: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in resolved(CLUSTER)["services"][service]["environment"].items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    settings = load()
    assert (settings.replication, settings.min_insync_replicas, len(settings.kafka)) == (3, 2, 3)


@pytest.mark.parametrize("unit", UNITS)
def test_systemd_accepts_the_unit(unit: str, tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("no systemd-analyze: the units are not checked by systemd here")
    here = (FOLDER / unit).read_text().replace(PROGRAM, sys.executable)
    file = tmp_path / unit.replace("@", "@1")
    file.write_text(here)
    done = subprocess.run([analyze, "verify", str(file)], capture_output=True, text=True, check=False)
    wrong = [line for line in done.stderr.splitlines() if unit.split("@", maxsplit=1)[0].split(".", maxsplit=1)[0] in line]
    assert wrong == []


@pytest.mark.parametrize("unit", UNITS)
def test_a_units_settings_are_accepted(unit: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in environment(unit, "1", tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    settings = load()
    assert (settings.replication, settings.log_format) == (3, "json")


def test_a_unit_starts_again_whatever_ends_it_but_what_an_operator_must_decide() -> None:
    for unit in UNITS:
        assert values(unit, "Restart") == ["on-failure"]
        assert values(unit, "RestartPreventExitStatus") == ["2"]
    assert command("leadstream-worker@.service") == ["worker"]
    assert command("leadstream-collector.service") == ["collector"]
    assert command("leadstream-webhook.service") == ["webhook"]
    assert int(values("leadstream-worker@.service", "TimeoutStopSec")[0]) >= 60
