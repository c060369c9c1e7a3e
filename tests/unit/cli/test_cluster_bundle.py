"""`crosswind clusters render`, and what apply and doctor say where no cluster can be reached."""

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from crosswind.cli.main import app
from tests.fakes.certificates import AUTHORITY
from tests.unit.cli.fake_api import FakeApi, Terminal

_DOCUMENT = """
apiVersion: crosswind.dev/v1
kind: Cluster
metadata: {name: main}
spec:
  connection:
    kind: eks
    name: crosswind-prod
    region: eu-central-1
    endpoint: https://example.eks.amazonaws.com
    certificateAuthority: PEM
  teams: [shop]
  capacity:
  - {kind: spot, nodeSelector: {karpenter.sh/capacity-type: spot}}
  - {kind: fargate}
""".replace("PEM", json.dumps(AUTHORITY))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The cluster's document."""
    path = tmp_path / "cluster.yaml"
    path.write_text(_DOCUMENT, encoding="utf-8")
    return path


def _run(*words: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["clusters", *map(str, words)])
    return done.exit_code, done.stdout, done.stderr


def test_a_folder_gets_a_kustomization_and_its_files(file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "made" / "here"
    status, said, _ = _run("render", "-f", file, "--teams", "shop,bank", "-o", folder)
    assert status == 0
    assert "kubectl apply --server-side -k" in said
    resources = yaml.safe_load((folder / "kustomization.yaml").read_text(encoding="utf-8"))["resources"]
    assert all((folder / each).is_file() for each in resources)
    assert {"namespaces/crosswind-shop.yaml", "namespaces/crosswind-bank.yaml", "eks.yaml"} <= set(resources)


def test_the_controller_comes_where_it_is_asked_for_with_the_apis_address(file: Path) -> None:
    wanted = ("--controller", "registry.example/controller:1")
    status, said, _ = _run(
        "render", "-f", file, *wanted, "--controller-endpoint", "https://api.example", "--json"
    )
    assert status == 0
    made = [f"{each['kind']}/{each['metadata']['name']}" for each in json.loads(said)["items"]]
    assert "Deployment/crosswind-controller" in made

    for words, complaint in (
        (wanted, "needs the API's address"),
        ((*wanted, "--controller-endpoint", "http://api.example"), "needs the API's address"),
        (("--controller-endpoint", "https://api.example"), "no controller to tell this"),
    ):
        status, _, said = _run("render", "-f", file, *words)
        assert status == 2
        assert complaint in said


def test_stdout_gets_one_stream_that_kubectl_takes(file: Path) -> None:
    status, said, _ = _run("render", "-f", file)
    assert status == 0
    kinds = [each["kind"] for each in yaml.safe_load_all(said)]
    assert kinds.count("CustomResourceDefinition") == 4
    assert "Kustomization" not in kinds
    _, as_json, _ = _run("render", "-f", file, "--json")
    assert [each["kind"] for each in json.loads(as_json)["items"]] == kinds


def test_settings_of_the_stack_make_pools_and_security_groups(file: Path, tmp_path: Path) -> None:
    settings = tmp_path / "settings.json"
    settings.write_text(
        json.dumps({"nodeRole": "nodes", "subnets": ["subnet-1"], "podSecurityGroups": ["sg-1"]}),
        encoding="utf-8",
    )
    _, said, _ = _run("render", "-f", file, "--eks-settings", settings, "--allow", "10.0.0.0/8:8080")
    made = {f"{each['kind']}/{each['metadata']['name']}": each for each in yaml.safe_load_all(said)}
    assert {"NodePool/crosswind-spot", "NodeClass/crosswind", "SecurityGroupPolicy/crosswind-fargate"} <= set(
        made
    )
    (flow,) = made["NetworkPolicy/allow-told"]["spec"]["egress"]
    assert flow["ports"] == [{"protocol": "TCP", "port": 8080}]

    settings.write_text('{"nodeRoles": "nodes"}', encoding="utf-8")
    status, _, error = _run("render", "-f", file, "--eks-settings", settings)
    assert status == 2
    assert "nodeRole, logGroup, subnets" in error


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["render"], "say which cluster"),
        (["render", "-f", "{file}", "--cluster", "main"], "say which cluster"),
        (["render", "-f", "{file}", "--allow", "10.0.0.0/8:http"], "is no port"),
        (["render", "-f", "{file}", "--teams", "shop,shop"], "named twice"),
        (["apply", "-f", "{file}", "--kubeconfig", "{folder}/none"], "the kubeconfig cannot be used"),
        (["doctor", "-f", "{file}", "--kubeconfig", "{folder}/away"], "does not answer"),
        (
            ["doctor", "-f", "{file}", "--kubeconfig", "{folder}/away", "--probe"],
            "what the probe is to reach",
        ),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    file: Path, tmp_path: Path, words: list[str], complaint: str
) -> None:
    (tmp_path / "away").write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:9"}}],
                "users": [{"name": "u", "user": {}}],
                "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
                "current-context": "x",
            }
        ),
        encoding="utf-8",
    )
    status, _, error = _run(*(word.format(file=file, folder=tmp_path) for word in words))
    assert status == 2
    assert complaint in error
    assert "Traceback" not in error


def test_a_cluster_of_applications_gets_nothing(file: Path) -> None:
    text = _DOCUMENT.replace("teams: [shop]", "role: application")
    file.write_text(text, encoding="utf-8")
    status, _, error = _run("render", "-f", file, "--teams", "shop")
    assert status == 2
    assert "no test pod runs on main" in error


def test_a_cluster_that_the_api_knows_is_rendered_by_its_name(api: FakeApi, crosswind: Terminal) -> None:
    view = {"cluster": yaml.safe_load(_DOCUMENT), "updatedAt": "2026-01-31T08:00:00Z", "updatedBy": "admin"}
    api.on("GET /api/v1/clusters/main", view)
    said = crosswind("clusters", "render", "--cluster", "main", "--json")
    assert said.exit_code == 0, said.stderr
    assert {"Namespace"} <= {each["kind"] for each in json.loads(said.stdout)["items"]}
