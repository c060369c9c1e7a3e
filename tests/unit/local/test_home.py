"""state.json and the processes it names."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from crosswind.local import fingerprints, processes
from crosswind.local.cloud import EmbeddedCloud, UpOptions, runs_as
from crosswind.local.home import Home, LocalError, LocalState, ProcessRef
from crosswind.local.pool import RunnerStarter
from tests.conftest import allowed_skips

_POOL = (
    "import subprocess, sys, time\n"
    "runner = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
    "print(runner.pid, flush=True)\n"
    "time.sleep(60)\n"
)
STATE = LocalState(port=8080, emulator_port=4566, runners=2, processes={"pool": ProcessRef(7, 1.5)})


def test_what_is_saved_is_read_back(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.save(STATE)
    assert home.load() == STATE


def test_the_state_knows_every_address_of_its_own(tmp_path: Path) -> None:
    assert STATE.toxiproxy_url == ""
    there = replace(STATE, toxiproxy_port=8474)
    assert there.toxiproxy_url == "http://127.0.0.1:8474"
    assert set(there.own_addresses) == {
        f"{host}:{port}" for host in ("127.0.0.1", "localhost") for port in (8080, 4566, 8474)
    }
    Home(tmp_path).save(there)
    assert json.loads((tmp_path / "state.json").read_text())["toxiproxyUrl"] == there.toxiproxy_url
    assert Home(tmp_path).load() == there


def test_nothing_was_started_where_there_is_no_file(tmp_path: Path) -> None:
    assert Home(tmp_path / "none").load() is None


def test_a_damaged_state_is_told_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text("{")
    with pytest.raises(LocalError, match="crosswind reset"):
        Home(tmp_path).load()


def test_the_environment_names_the_data_directory(tmp_path: Path) -> None:
    assert Home.default({"CROSSWIND_HOME": str(tmp_path)}).path == tmp_path


def test_a_process_with_the_same_number_and_another_start_is_not_ours() -> None:
    mine = processes.ref_of(os.getpid())
    assert processes.find(mine) is not None
    for stranger in (replace(mine, started=mine.started - 10), replace(mine, boot="another")):
        assert processes.find(stranger) is None
        assert processes.stop(stranger, grace_seconds=0) is False
        assert processes.end_group(stranger) == 0


def test_a_process_is_known_again_after_a_step_of_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = processes.ref_of(os.getpid())
    real = psutil.Process.create_time
    step = 0 if not mine.boot else 3600  # elsewhere than on Linux only psutil knows when a process started
    monkeypatch.setattr(psutil.Process, "create_time", lambda process: real(process) + step)
    assert processes.find(mine) is not None


def test_a_state_of_before_is_read_and_its_processes_are_known_and_out_of_date(tmp_path: Path) -> None:
    old = {"pid": os.getpid(), "started": psutil.Process().create_time()}
    text = json.dumps({"port": 1, "emulator_port": 2, "runners": 3, "processes": {"pool": old}})
    (tmp_path / "state.json").write_text(text)
    state = Home(tmp_path).load()
    assert state is not None
    assert processes.find(state.processes["pool"]) is not None
    assert not runs_as(state.processes["pool"], fingerprints.of_package())


def test_a_process_of_older_code_or_other_options_is_out_of_date() -> None:
    mine = replace(processes.ref_of(os.getpid()), made_from=fingerprints.of_options("code", ["a=1", "b=2"]))
    assert runs_as(mine, fingerprints.of_options("code", ["b=2", "a=1"]))
    assert not runs_as(mine, fingerprints.of_options("code", ["a=1", "b=3"]))
    assert not runs_as(mine, fingerprints.of_options("newer", ["a=1", "b=2"]))
    assert not runs_as(replace(mine, started=0), mine.made_from)


def test_a_fingerprint_follows_names_and_contents_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "a.py").write_text("1")
    seen = [fingerprints.of_files(tmp_path, ["kept"])]
    (tmp_path / "other.py").write_text("not named")
    (tmp_path / "kept" / "__pycache__").mkdir()
    (tmp_path / "kept" / "__pycache__" / "a.pyc").write_text("made of it")
    assert fingerprints.of_files(tmp_path, ["kept"]) == seen[0]
    (tmp_path / "kept" / "a.py").write_text("2")
    seen.append(fingerprints.of_files(tmp_path, ["kept"]))
    (tmp_path / "kept" / "a.py").rename(tmp_path / "kept" / "b.py")
    seen.append(fingerprints.of_files(tmp_path, ["kept"]))
    seen.append(fingerprints.of_files(tmp_path, ["kept"], made_with="another tool"))
    assert len(set(seen)) == 4


def test_a_folder_with_other_things_in_it_never_becomes_ours_to_delete(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    cloud = EmbeddedCloud(Home(tmp_path))
    for command in (lambda: cloud.up(UpOptions()), cloud.down, cloud.reset):
        with pytest.raises(LocalError, match=r"did not make|not made by"):
            command()
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_nothing_is_made_by_stopping_what_never_was(tmp_path: Path) -> None:
    assert EmbeddedCloud(Home(tmp_path / "none")).down() == []
    assert not (tmp_path / "none").exists()


def test_two_parts_on_one_port_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="choose two ports"):
        EmbeddedCloud(Home(tmp_path)).up(UpOptions(port=4566, emulator_port=4566))


def test_what_a_killed_pool_left_behind_is_stopped_with_it() -> None:
    pool = subprocess.Popen(
        [sys.executable, "-c", _POOL], stdout=subprocess.PIPE, start_new_session=True, text=True
    )
    assert pool.stdout is not None
    with pool.stdout:
        runner = processes.ref_of(int(pool.stdout.readline()))
    ref = processes.ref_of(pool.pid)
    pool.kill()
    pool.wait()
    assert processes.find(runner) is not None
    assert processes.stop(ref, grace_seconds=5)
    assert processes.find(runner) is None
    assert not processes.stop(ref, grace_seconds=5)


def test_a_runner_is_in_the_pools_group(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.create()
    runner = RunnerStarter(home, {})(1)
    try:
        assert os.getpgid(runner.pid) == os.getpgid(0)
    finally:
        runner.kill()
        runner.wait()


def test_a_real_account_does_not_get_into_the_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("CROSSWIND_TOKEN", "secret")
    environ = processes.scrubbed_environment({"AWS_REGION": "us-east-1"})
    assert "AWS_PROFILE" not in environ
    assert "CROSSWIND_TOKEN" not in environ
    assert environ["AWS_REGION"] == "us-east-1"


def test_a_list_of_skips_holds_ids_with_reasons_and_comments() -> None:
    assert allowed_skips("# title\n\na::b # why\nc::d[1]\n") == {"a::b", "c::d[1]"}
