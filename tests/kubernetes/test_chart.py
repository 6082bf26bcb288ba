"""The Helm chart: linted, rendered with its defaults and with everything switched on, and held to the schemas of its resources."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.config import Settings
from service.errors import Misconfigured
from tests.fakes.servers import or_skip, required
from tests.kubernetes.custom_resources import refusals

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy" / "helm"
KUBERNETES = ("1.29", "1.33")
"""The oldest that the chart takes, and a later one."""

NEEDED = {"settings": {"AWS_REGION": "eu-west-1", "OLD_TABLE_NAME": "old"}}
EVERYTHING = NEEDED | {
    "mapping": "version: 1\n",
    "imagePullSecrets": [{"name": "registry"}],
    "sync": {"engine": "kcl", "replicas": 4, "podAnnotations": {"a": "b"}, "nodeSelector": {"a": "b"}},
    "serviceAccounts": {"sync": {"annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/sync"}}},
    "service": {"hosts": ["migration.example.com"]},
    "backfill": {"enabled": True, "jobs": 16, "tolerations": [{"operator": "Exists"}]},
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "prometheusRule": {"enabled": True, "runbookBase": "https://git.example.com/blob/main/"},
    "dashboards": {"enabled": True},
}
VALUES = {"needed": NEEDED, "everything": EVERYTHING}


def helm(*arguments: str, values: dict[str, Any]) -> "subprocess.CompletedProcess[str]":
    """What Helm says."""
    if shutil.which("helm") is None:  # in CI as well: no package of it can be installed
        pytest.skip("there is no helm: install Helm 3, or `go install helm.sh/helm/v3/cmd/helm@latest`")
    command = ["helm", *arguments, "--kube-version", KUBERNETES[0], "--values", "-"]
    return subprocess.run(command, input=yaml.safe_dump(values), capture_output=True, text=True, timeout=300)


def rendered(values: dict[str, Any]) -> dict[tuple[str, str], Any]:
    """Every object by kind and name, without the release's own."""
    done = helm("template", "tablesplit", str(CHART), "--namespace", "crm", values=values)
    assert done.returncode == 0, done.stderr
    objects = [one for one in yaml.safe_load_all(done.stdout) if one]
    found = {
        (one["kind"], one["metadata"]["name"].removeprefix("tablesplit").removeprefix("-")): one for one in objects
    }
    assert len(found) == len(objects), "two objects of one name"
    return found


def container(workload: dict[str, Any]) -> dict[str, Any]:
    (found,) = workload["spec"]["template"]["spec"]["containers"]
    return dict(found)


@pytest.mark.parametrize("name", VALUES)
def test_it_passes_helms_linter(name: str) -> None:
    done = helm("lint", "--strict", str(CHART), values=VALUES[name])
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("name", VALUES)
def test_kubernetes_knows_every_field(name: str, version: str) -> None:
    with or_skip():
        try:
            import kubernetes_validate
        except ModuleNotFoundError as missing:
            raise Misconfigured("there is no kubernetes-validate", remedy="make VENV=.venv, again") from missing
    for (kind, _), one in rendered(VALUES[name]).items():
        if not one["apiVersion"].startswith("monitoring.coreos.com/"):  # Kubernetes itself does not know these
            kubernetes_validate.validate(one, version, strict=True)
        assert one["metadata"]["labels"]["app.kubernetes.io/instance"] == "tablesplit", kind


def test_the_prometheus_operator_knows_every_field() -> None:
    of_operator = [
        one for one in rendered(EVERYTHING).values() if one["apiVersion"].startswith("monitoring.coreos.com/")
    ]
    assert {one["kind"] for one in of_operator} == {"ServiceMonitor", "PodMonitor", "PrometheusRule"}
    assert {one["kind"]: refusals(one) for one in of_operator if refusals(one)} == {}


@pytest.mark.parametrize(
    ("kind", "name", "place", "wrong", "said"),
    [
        ("ServiceMonitor", "sync", ("endpoints", 0), {"relabelConfigs": []}, "relabelConfigs"),
        ("ServiceMonitor", "sync", ("endpoints", 0), {"interval": "half a minute"}, "interval"),
        ("PodMonitor", "backfill", (), {"endpoints": []}, "endpoints"),
        ("PrometheusRule", "", ("groups", 0, "rules", 0), {"severity": "page"}, "severity"),
        ("PrometheusRule", "", ("groups", 0, "rules", 0), {"for": "5 minutes"}, "for"),
    ],
)
def test_the_prometheus_operator_refuses_a_wrong_field(
    kind: str, name: str, place: tuple[str | int, ...], wrong: dict[str, Any], said: str
) -> None:
    resource = rendered(EVERYTHING)[kind, name]
    part = resource["spec"]
    for step in place:
        part = part[step]
    part.update(wrong)
    (refused,) = refusals(resource)
    assert said in refused


def test_the_defaults_are_an_owner_and_a_standby_and_a_pod_for_commands() -> None:
    found = rendered(NEEDED)
    assert {kind for kind, _ in found} == {
        "ServiceAccount",
        "ConfigMap",
        "Deployment",
        "Service",
        "PodDisruptionBudget",
    }
    assert {name for kind, name in found if kind == "ServiceAccount"} == {"sync", "backfill", "operator"}
    assert found["Deployment", "sync"]["spec"]["replicas"] == 2
    assert found["PodDisruptionBudget", "sync"]["spec"]["maxUnavailable"] == 1


def test_one_pod_alone_has_no_budget_that_would_hold_up_a_drain() -> None:
    assert ("PodDisruptionBudget", "sync") not in rendered(NEEDED | {"sync": {"replicas": 1}})


def test_no_pod_may_do_more_than_it_needs() -> None:
    found = rendered(EVERYTHING)
    for name in (("Deployment", "sync"), ("Deployment", "operator"), ("Job", "backfill-1")):
        pod = found[name]["spec"]["template"]["spec"]
        assert (pod["securityContext"]["runAsNonRoot"], pod["securityContext"]["runAsUser"]) == (True, 10001)
        secured = container(found[name])["securityContext"]
        assert secured == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert "limits" in container(found[name])["resources"]
        assert found["ServiceAccount", pod["serviceAccountName"].removeprefix("tablesplit-")]
    tokens = {name for name, one in found.items() if "TABLESPLIT_API_TOKEN" in json.dumps(one)}
    assert tokens == {("Deployment", "sync")}


def test_the_programs_read_the_settings_that_the_pods_get(monkeypatch: pytest.MonkeyPatch) -> None:
    found = rendered(EVERYTHING | {"mapping": "", "sync": {}})
    job = found["Job", "backfill-1"]
    environment = dict(found["ConfigMap", ""]["data"])
    environment |= {one["name"]: one.get("value", "7") for one in container(job)["env"]}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert (settings.batch_array_index, settings.batch_array_size, settings.batch_job_id) == (7, 16, "7")
    assert job["spec"]["completions"] == settings.batch_array_size
    assert job["spec"]["completionMode"] == "Indexed"
    assert "tablesplit-sync.crm.svc" in str(settings.http_hosts)
    assert "migration.example.com" in str(settings.http_hosts)


def test_the_backfill_of_a_wrong_setting_is_not_tried_again() -> None:
    spec = rendered(EVERYTHING)["Job", "backfill-1"]["spec"]
    first, second = spec["podFailurePolicy"]["rules"]
    assert (first["action"], first["onExitCodes"]["values"]) == ("FailJob", [2])
    assert second["action"] == "Ignore"
    assert spec["template"]["spec"]["restartPolicy"] == "Never"


def test_what_prometheus_is_told_fits_what_sync_serves_and_the_alerts_name() -> None:
    found = rendered(EVERYTHING)
    monitor, service = found["ServiceMonitor", "sync"], found["Service", "sync"]
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert service["metadata"]["labels"][monitor["spec"]["jobLabel"]] == "sync"
    assert {one["port"] for one in monitor["spec"]["endpoints"]} == {one["name"] for one in service["spec"]["ports"]}
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    pods, job = found["PodMonitor", "backfill"], found["Job", "backfill-1"]["spec"]["template"]
    assert pods["spec"]["selector"]["matchLabels"].items() <= job["metadata"]["labels"].items()


def test_the_rule_is_the_alerts_with_the_runbook_where_people_read_it(tmp_path: Path) -> None:
    rule = rendered(EVERYTHING)["PrometheusRule", ""]["spec"]
    alerts = (ROOT / "deploy" / "prometheus" / "alerts.yml").read_text(encoding="utf-8")
    base = "https://git.example.com/blob/main/"
    assert rule == yaml.safe_load(alerts.replace("{{ $externalLabels.runbook_base }}", base))
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump(rule))
    done = subprocess.run([required("promtool", "prometheus"), "check", "rules", file], capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_every_dashboard_is_a_config_map_for_grafanas_sidecar() -> None:
    maps = {name: one for (kind, name), one in rendered(EVERYTHING).items() if name.startswith("dashboard-")}
    files = {
        path.name: path.read_text(encoding="utf-8") for path in (ROOT / "deploy/grafana/dashboards").glob("*.json")
    }
    assert {file: text for one in maps.values() for file, text in one["data"].items()} == files
    assert all(one["metadata"]["labels"]["grafana_dashboard"] == "1" for one in maps.values())


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"settings": {"TABLESPLIT_API_TOKEN": "0123456789abcdef"}}, "TABLESPLIT_API_TOKEN"),
        ({"settings": {"TABLESPLIT_SEGMENTS": 4}}, "TABLESPLIT_SEGMENTS"),
        ({"image": {"tag": "latest"}}, "tag"),
        ({"sync": {"engine": "KCL"}}, "engine"),
        ({"backfill": {"jobs": 0}}, "jobs"),
        ({"replicas": 3}, "replicas"),
    ],
)
def test_a_wrong_value_is_refused_and_named(wrong: dict[str, Any], said: str) -> None:
    done = helm("template", "tablesplit", str(CHART), values=wrong)
    assert done.returncode != 0
    assert said in done.stderr


def test_the_chart_has_the_alerts_and_dashboards_of_this_repository_and_no_copy() -> None:
    for name, of in (("alerts.yml", "prometheus/alerts.yml"), ("dashboards", "grafana/dashboards")):
        assert (CHART / "files" / name).is_symlink()
        assert (CHART / "files" / name).resolve() == ROOT / "deploy" / of


def test_every_value_is_in_the_schema() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    assert values.keys() == schema["properties"].keys() - {"global"}
    for name, value in values.items():
        if isinstance(value, dict) and schema["properties"][name].get("additionalProperties") is False:
            assert value.keys() == schema["properties"][name]["properties"].keys(), name
    assert set(re.findall(r"\.Values\.(\w+)", "".join(one.read_text() for one in CHART.glob("templates/*")))) <= {
        *values
    }
