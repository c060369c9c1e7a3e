"""Where the programs come from, and what is said where there are none."""

import shutil
from pathlib import Path

import pytest

from crosswind.local.home import LocalError
from tests.cluster import toolbox
from tests.cluster.clusters import given_kubeconfig

pytestmark = pytest.mark.xdist_group("cluster")


def test_without_go_it_says_what_else_would_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LocalError, match=r"Go 1\.24.*KUBEBUILDER_ASSETS.*CROSSWIND_TEST_KUBECONFIG"):
        toolbox.ensure_kubernetes(print, environ={})


def test_assets_that_are_no_control_plane_are_named(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match=str(tmp_path)):
        toolbox.ensure_kubernetes(print, environ={"KUBEBUILDER_ASSETS": str(tmp_path)})


def test_assets_are_used_as_they_are(tmp_path: Path) -> None:
    for name in toolbox.CONTROL_PLANE:
        (tmp_path / name).touch()
    tools = toolbox.ensure_kubernetes(print, environ={"KUBEBUILDER_ASSETS": str(tmp_path)})
    assert tools["etcd"] == tmp_path / "etcd"
    assert not tools.has("kubelet")
    with pytest.raises(LocalError, match="has no kubelet"):
        tools["kubelet"]


def test_other_versions_are_built_into_another_folder(tmp_path: Path) -> None:
    go = shutil.which("go")
    if go is None:
        pytest.skip("needs Go")
    source = Path(toolbox.__file__).with_name("tools") / "kubernetes"
    copied = shutil.copytree(source, tmp_path / "copy")
    assert toolbox._key(go, copied) == toolbox._key(go, source)
    sums = copied / "go.sum"
    sums.write_text(sums.read_text(encoding="utf-8") + "another v1.0.0 h1:x=\n", encoding="utf-8")
    assert toolbox._key(go, copied) != toolbox._key(go, source)


def test_a_build_that_fails_shows_the_compilers_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    go = shutil.which("go")
    if go is None:
        pytest.skip("needs Go")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "cache" / "crosswind").mkdir(parents=True)
    (tmp_path / "go.mod").write_text("module broken\n\ngo 1.22\n", encoding="utf-8")
    (tmp_path / "main.go").write_text("package main\n\nfunc main() { nowhere() }\n", encoding="utf-8")
    with pytest.raises(LocalError, match="undefined: nowhere"):
        toolbox._build(go, tmp_path, tmp_path / "program", print)


def test_a_cluster_is_given_by_its_kubeconfig() -> None:
    assert given_kubeconfig({}) is None
    assert given_kubeconfig({"CROSSWIND_TEST_KUBECONFIG": "/x/config"}) == Path("/x/config")
