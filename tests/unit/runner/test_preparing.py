"""A preparation: sources, setup, packing, discovery, reuse."""

import gzip
import subprocess
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest

from crosswind.contracts.work import ArchiveSource, GitSource
from crosswind.runner.archives import ArchiveLimits, ArchiveRefusedError, pack, unpack
from crosswind.runner.faults import Cause, InterruptedAttemptError, Interruption
from crosswind.runner.git import PROTOCOLS
from crosswind.runs.layout import discovery_key
from crosswind.runs.model import WorkState
from tests.fakes import START
from tests.unit.runner.rig import Rig, tar_gz

TESTS = {
    "test_all.py": (
        "import unittest, pytest\n"
        "@pytest.mark.parametrize('value', [1, 'a b', 'x[y]::z', 'ß'])\n"
        "def test_value(value): pass\n"
        "class TestOld(unittest.TestCase):\n"
        "    def test_old(self): pass\n"
    )
}


def test_pytest_lists_every_test_without_running_one(rig: Rig) -> None:
    order = rig.preparation(TESTS)
    work = rig.carry_out(order)
    found = rig.discovery()
    assert work.state is WorkState.DONE
    assert found.errors == ()
    assert found.test_ids == (
        "test_all.py::test_value[1]",
        "test_all.py::test_value[a b]",
        "test_all.py::test_value[x[y]::z]",
        "test_all.py::test_value[\\xdf]",
        "test_all.py::TestOld::test_old",
    )
    assert isinstance(order.source, ArchiveSource)
    assert found.archive == order.source.archive


def test_a_collection_error_is_told_beside_what_was_found(rig: Rig) -> None:
    rig.carry_out(rig.preparation(TESTS | {"test_bad.py": "import nothing_of_this_name"}))
    found = rig.discovery()
    assert found.test_ids is not None
    assert len(found.test_ids) == 5
    (error,) = found.errors
    assert error.startswith("test_bad.py: ")
    assert "nothing_of_this_name" in error


def test_a_command_has_no_test_ids(rig: Rig) -> None:
    rig.carry_out(rig.preparation({"a": "b"}, framework="command", command="true"))
    assert rig.discovery().test_ids is None
    assert rig.discovery().errors == ()


def test_what_setup_leaves_travels_in_an_archive_of_equal_bytes_for_equal_content(rig: Rig) -> None:
    order = rig.preparation(
        {"a.txt": "a"},
        setup=("mkdir -p deps && echo installed > deps/module.txt", "chmod +x a.txt; ln -s a.txt link"),
        framework="command",
        command="true",
    )
    rig.carry_out(order)
    archive = rig.discovery().archive
    again = Rig(rig.folder / "again")
    again.folder.mkdir()
    again.carry_out(
        again.preparation({"a.txt": "a"}, **order.model_dump(include={"setup", "framework", "command"}))
    )
    assert again.discovery().archive == archive
    packed = rig.folder / "packed.tar.gz"
    packed.write_bytes(rig.sources.objects[archive.key].data)
    target = rig.folder / "target"
    target.mkdir()
    unpack(packed, target, limits=ArchiveLimits())
    assert (target / "deps" / "module.txt").read_text() == "installed\n"
    assert (target / "link").readlink() == Path("a.txt")
    assert (target / "a.txt").stat().st_mode & 0o777 == 0o755


def test_a_failed_setup_names_the_command_its_status_and_what_it_said(rig: Rig) -> None:
    work = rig.carry_out(rig.preparation({}, setup=("true", "echo no such package; exit 4", "touch never")))
    (error,) = rig.discovery().errors
    assert work.state is WorkState.DONE
    assert error == (
        "The setup command `echo no such package; exit 4` ended with exit status 4:\nno such package"
    )


def test_a_refused_archive_is_an_error_of_the_preparation(rig: Rig) -> None:
    source = ArchiveSource(archive=rig.store_archive(tar_gz({"../x": ""})))
    work = rig.carry_out(rig.preparation(source))
    assert work.state is WorkState.DONE
    assert rig.discovery().errors == ("'../x' leads out of the archive",)


def test_a_virtual_environment_of_links_is_refused_with_advice(rig: Rig) -> None:
    order = rig.preparation(
        {".venv/pyvenv.cfg": "home = /usr/bin"},
        setup=("mkdir .venv/bin && ln -s /usr/bin/python3 .venv/bin/python",),
        framework="command",
        command="true",
    )
    rig.carry_out(order)
    (error,) = rig.discovery().errors
    assert "python -m venv --copies" in error


@pytest.mark.parametrize("linked", ["{work}", "{work}/folder"])
def test_a_setup_cannot_have_packed_what_lies_elsewhere(rig: Rig, tmp_path: Path, linked: str) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "token").write_text("of the agent")
    target = linked.format(work="../work")
    order = rig.preparation(
        {"folder/note": ""},
        setup=(f"mv {target} ../gone && ln -s {secrets} {target}",),
        framework="command",
        command="true",
    )
    assert rig.carry_out(order).state is WorkState.DONE
    for each in rig.sources.objects.values():
        assert b"of the agent" not in gzip.decompress(each.data)


def test_a_sparse_link_and_a_socket_are_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / ".git").mkdir(parents=True)
    (folder / "out").symlink_to("../../etc")
    left_out = pack(folder, BytesIO())
    assert left_out == ("the link 'out' leads to '../../etc', out of the working directory",)


def test_what_could_not_be_unpacked_again_is_not_packed(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in "abc":
        (folder / name).write_text(name)
    for limits in (ArchiveLimits(entries=2), ArchiveLimits(unpacked_bytes=2)):
        with pytest.raises(ArchiveRefusedError, match="more than 2"):
            pack(folder, BytesIO(), limits=limits)
    assert pack(folder, BytesIO(), limits=ArchiveLimits(entries=3, unpacked_bytes=3)) == ()
    (folder / "d" / "e").mkdir(parents=True)
    with pytest.raises(ArchiveRefusedError, match="more than 1 folders"):
        pack(folder, BytesIO(), limits=ArchiveLimits(depth=1))


def test_a_stop_does_not_wait_for_an_archive(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a").write_text("a")
    packed = tmp_path / "packed"
    with packed.open("wb") as file:
        pack(folder, file)
    interruption = Interruption()
    interruption.raise_flag(Cause.STOPPING)
    with pytest.raises(InterruptedAttemptError):
        pack(folder, BytesIO(), check=interruption.check)
    (tmp_path / "target").mkdir()
    with pytest.raises(InterruptedAttemptError):
        unpack(packed, tmp_path / "target", limits=ArchiveLimits(), check=interruption.check)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    (folder / "tests").mkdir(parents=True)
    (folder / "docs").mkdir()
    (folder / "docs" / "page.md").write_text("page")
    (folder / "tests" / "test_one.py").write_text("def test_one(): pass\n")
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    for command in (("init", "-q", "-b", "main"), ("add", "."), (*identity, "commit", "-q", "-m", "one")):
        subprocess.run(("git", *command), cwd=folder, check=True)
    return folder


def test_a_git_source_is_fetched_at_its_commit_and_used_again_when_it_is_equal(
    tmp_path: Path, repository: Path
) -> None:
    rig = Rig(tmp_path / "runner", protocols=PROTOCOLS | {"file"})
    order = rig.preparation(GitSource(uri=repository.as_uri(), ref="main", paths=("tests",)))
    rig.carry_out(order)
    found = rig.discovery()
    head = subprocess.run(
        ("git", "rev-parse", "HEAD"), cwd=repository, check=True, capture_output=True, text=True
    ).stdout.strip()
    assert found.errors == ()
    assert found.commit == head
    assert found.test_ids == ("tests/test_one.py::test_one",)

    rig.runs.remember_preparation(
        found.preparation, discovery_key=discovery_key(rig.prefix()), until=START + timedelta(days=1)
    )
    rig.works.items.clear()
    rig.carry_out(order)
    assert rig.discovery() == found
    assert "prepared before" in rig.log()


@pytest.mark.parametrize(
    ("uri", "ref"),
    [
        ("file:///etc", "main"),
        ("ext::sh -c touch% /tmp/x", "main"),
        ("-upload-pack=x", "main"),
        ("https://example.org/x", "--upload-pack=touch"),
        ("https://example.org/x", "a:b"),
    ],
)
def test_a_git_source_that_could_run_or_read_something_is_refused(rig: Rig, uri: str, ref: str) -> None:
    rig.carry_out(rig.preparation(GitSource(uri=uri, ref=ref)))
    (error,) = rig.discovery().errors
    assert "is not" in error


def test_a_ref_that_does_not_exist_is_the_suites_fault(tmp_path: Path, repository: Path) -> None:
    rig = Rig(tmp_path / "runner", protocols=PROTOCOLS | {"file"})
    rig.carry_out(rig.preparation(GitSource(uri=repository.as_uri(), ref="gone")))
    (error,) = rig.discovery().errors
    assert "could not be fetched" in error
