"""Clusters: which one a suite runs on, who may say so, and what a document must not hold."""

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from crosswind.adapters.kubernetes.kubeconfig import read_kubeconfig
from crosswind.contracts.actors import Actor, Role
from crosswind.contracts.clusters import Cluster
from crosswind.contracts.permissions import Guard
from crosswind.kernel.errors import ForbiddenError, InvalidInputError, NotFoundError
from crosswind.platform.access import decide
from crosswind.runs.clusters.choosing import choose
from crosswind.runs.clusters.reading import parse_cluster, to_document
from crosswind.runs.specs import parse_document
from crosswind.runs.usecases.clusters import (
    ChooseCluster,
    DeleteCluster,
    GetCluster,
    ListClusters,
    PutCluster,
    known_cluster,
)
from tests.fakes import MemoryDocumentStore, SettableClock
from tests.fakes.certificates import AUTHORITY

ADMIN = Actor(subject="ada", issuer="i", teams=("demo",), roles=(Role.ADMIN,))
EDITOR = Actor(subject="ed", issuer="i", teams=("demo",), roles=(Role.EDITOR,))
GUARD = Guard(decide)
PEM = "-----BEGIN CERTIFICATE-----\nxyz\n-----END CERTIFICATE-----\n"


def document(name: str = "main", **spec: Any) -> str:
    connection = {"kind": "server", "endpoint": "https://cluster.example", "secret": "main"}
    text: str = yaml.safe_dump(
        {
            "apiVersion": "crosswind.dev/v1",
            "kind": "Cluster",
            "metadata": {"name": name},
            "spec": {"connection": connection} | spec,
        }
    )
    return text


def make(name: str, **spec: Any) -> Cluster:
    return parse_cluster(document(name, **spec))


def faults_of(text: str) -> dict[str, str]:
    with pytest.raises(InvalidInputError) as found:
        parse_cluster(text)
    return {fault.path: fault.message for fault in found.value.errors}


def test_a_suites_own_cluster_comes_before_its_teams_and_that_before_the_deployments() -> None:
    known = [make("main"), make("ours", teams=["demo"]), make("theirs", teams=["other"])]

    assert choose(known, team="demo", named="main", default="main") == "main"
    assert choose(known, team="demo", named=None, default="main") == "ours"
    assert choose(known, team="third", named=None, default="main") == "main"
    assert choose(known, team="third", named=None, default=None) is None


@pytest.mark.parametrize("named", ["theirs", "gone", "shop"])
def test_a_cluster_that_a_team_may_not_use_is_named_with_those_that_it_may(named: str) -> None:
    known = [make("main"), make("theirs", teams=["other"]), make("shop", role="application")]

    with pytest.raises(InvalidInputError) as refused:
        choose(known, team="demo", named=named, default=None)

    (fault,) = refused.value.errors
    assert (fault.path, fault.expected) == ("spec.cluster", "main")


def test_every_fault_of_a_document_is_told_at_its_place() -> None:
    text = document(
        capacity=[{"kind": "spot"}, {"kind": "spot"}],
        pending="5s",
        role="application",
        teams=["demo"],
        connection={
            "kind": "server",
            "endpoint": "http://plain.example",
            "secret": "main",
            "certificateAuthority": "nonsense",
        },
    )

    faults = faults_of(text)

    assert (
        set(faults)
        == {
            "spec.capacity",
            "spec.capacity[1].kind",
            "spec.pending",
            "spec.teams",
            "spec.connection.server.endpoint",
            "spec.connection.certificateAuthority",
        }
        or "spec.connection.endpoint" in faults
    )
    assert faults["spec.pending"] == "is 5 s"


@pytest.mark.parametrize(
    ("authority", "fault"),
    [
        (AUTHORITY, None),
        (AUTHORITY * 2, None),
        (PEM, "is a damaged certificate"),
        ("\u00e9", "is no certificate"),
    ],
)
def test_an_authority_is_read_before_it_is_kept(authority: str, fault: str | None) -> None:
    connection = {
        "kind": "server",
        "endpoint": "https://cluster.example",
        "secret": "main",
        "certificateAuthority": authority,
    }
    text = document(connection=connection)
    if fault is None:
        assert parse_cluster(text)
    else:
        assert faults_of(text)["spec.connection.certificateAuthority"].startswith(fault)


def test_administrators_make_clusters_known_and_others_read_them() -> None:
    store = MemoryDocumentStore()
    put = PutCluster(store, GUARD, SettableClock())

    with pytest.raises(ForbiddenError):
        put("main", document(), actor=EDITOR)
    _, created = put("main", document(), actor=ADMIN)
    _, again = put("main", document(description="changed"), actor=ADMIN)
    put("other", document("other"), actor=ADMIN)
    with pytest.raises(InvalidInputError):
        put("another", document(), actor=ADMIN)

    assert (created, again) == (True, False)
    assert GetCluster(store, GUARD)("main", actor=EDITOR).cluster.spec.description == "changed"
    page = ListClusters(store, GUARD)(limit=10, cursor=None, actor=EDITOR)
    assert [view.cluster.metadata.name for view in page.items] == ["main", "other"]
    with pytest.raises(ForbiddenError):
        DeleteCluster(store, GUARD)("main", actor=EDITOR)
    DeleteCluster(store, GUARD)("main", actor=ADMIN)
    assert known_cluster(store, "main") is None
    with pytest.raises(NotFoundError):
        GetCluster(store, GUARD)("main", actor=EDITOR)


def test_what_only_pods_can_do_needs_a_cluster() -> None:
    job = {
        "name": "unit",
        "framework": "pytest",
        "source": {"archive": {"digest": "sha256:" + "0" * 64}},
        "image": "registry.example/own:1",
        "services": [{"name": "db", "image": "postgres:17"}],
    }
    given = {
        "apiVersion": "crosswind.dev/v1",
        "kind": "TestSuite",
        "metadata": {"name": "s", "team": "demo"},
        "spec": {"stages": [{"name": "one", "tests": [job]}]},
    }
    suite = parse_document(given)
    store = MemoryDocumentStore()

    assert ChooseCluster(store, "main")(suite) == "main"
    with pytest.raises(InvalidInputError) as refused:
        ChooseCluster(store, None)(suite)

    place = "spec.stages[0].tests[0]"
    assert [fault.path for fault in refused.value.errors] == [f"{place}.services", f"{place}.image"]


def kubeconfig(folder: Path, user: dict[str, Any], **cluster: Any) -> Path:
    path = folder / "config"
    made = {
        "clusters": [{"name": "c", "cluster": {"server": "https://k.example"} | cluster}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "one", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "one",
    }
    path.write_text(yaml.safe_dump(made), encoding="utf-8")
    return path


def test_a_kubeconfig_gives_address_authority_and_credentials(tmp_path: Path) -> None:
    data = base64.b64encode(PEM.encode()).decode()
    (tmp_path / "key.pem").write_text("KEY", encoding="utf-8")
    user = {"client-certificate-data": data, "client-key": "key.pem"}

    read = read_kubeconfig(kubeconfig(tmp_path, user, **{"certificate-authority-data": data}))

    assert (read.context, read.endpoint, read.certificate_authority) == ("one", "https://k.example", PEM)
    assert read.credentials == {"clientCertificate": PEM, "clientKey": "KEY"}
    assert read_kubeconfig(kubeconfig(tmp_path, {"token": "t"})).credentials == {"token": "t"}


@pytest.mark.parametrize(
    ("user", "cluster", "field"),
    [
        ({"exec": {"command": "aws"}}, {}, "user.exec"),
        ({"auth-provider": {"name": "gcp"}}, {}, "user.auth-provider"),
        ({"username": "a", "password": "b"}, {}, "user.username"),
        ({}, {}, "user"),
        ({"token": "t"}, {"server": "http://k.example"}, "cluster.server"),
        ({"token": "t"}, {"insecure-skip-tls-verify": True}, "cluster.insecure-skip-tls-verify"),
    ],
)
def test_a_kubeconfig_that_would_run_a_program_or_trust_anybody_is_refused(
    tmp_path: Path, user: dict[str, Any], cluster: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInputError) as refused:
        read_kubeconfig(kubeconfig(tmp_path, user, **cluster))

    assert [fault.path for fault in refused.value.errors] == [field]


def test_a_context_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError) as refused:
        read_kubeconfig(kubeconfig(tmp_path, {"token": "t"}), context="two")

    assert refused.value.errors[0].expected == "one"


def test_a_document_is_stored_as_it_was_written() -> None:
    assert to_document(make("main", pending="3m"))["spec"]["pending"] == "3m"
