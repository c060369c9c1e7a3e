"""What commands use of CPU and memory: seen once a second, summed, and kept small."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from crosswind.runner.sampling import (
    MOST_POINTS,
    MOST_SAMPLES,
    CgroupV1,
    CgroupV2,
    Sample,
    Sampler,
    Totals,
    UseRecorder,
    container_account,
    from_json,
    to_json,
)
from tests.unit.runner.rig import make_sandbox, run_python

MIB = 1024 * 1024
BUSY = "import time\nend = time.monotonic() + 1.6\ndata = bytearray(40 * 1024 * 1024)\nwhile time.monotonic() < end: pass"


def recorded(*samples: Sample) -> UseRecorder:
    recorder = UseRecorder()
    for sample in samples:
        recorder.add(sample)
    return recorder


def test_a_command_is_looked_at_once_a_second_while_it_runs(tmp_path: Path) -> None:
    seen: list[Sample] = []
    sandbox = replace(make_sandbox(tmp_path), sampled=seen.append)
    run_python(sandbox, BUSY)
    assert 1 <= len(seen) <= 2
    assert seen[0].cpu_seconds > 0.05
    assert seen[0].memory_bytes > 40 * MIB
    assert not seen[0].cgroup


def test_what_a_short_command_used_is_told_by_the_containers_accounts(tmp_path: Path) -> None:
    class Accounts:
        cgroup = True
        reads = 0

        def read(self) -> Totals:
            self.reads += 1
            return Totals(cpu_seconds=5.0 + self.reads, memory_bytes=MIB, throttled_seconds=0.25 * self.reads)

    seen: list[Sample] = []
    sandbox = replace(make_sandbox(tmp_path), sampled=seen.append, account=Accounts())
    run_python(sandbox, "import time; time.sleep(0.4)")
    (sample,) = seen
    assert (sample.cpu_seconds, sample.throttled_seconds, sample.cgroup) == (1.0, 0.25, True)


def test_samples_are_summed_with_percentiles() -> None:
    samples = [Sample(1.0, 0.1, 100 * MIB, 0.0, cgroup=True)] * 19
    use = recorded(*samples, Sample(1.0, 2.0, 300 * MIB, 0.5, cgroup=True)).use()
    assert use is not None
    assert (use.cpu_p95_millis, use.cpu_max_millis, use.cpu_mean_millis) == (100, 2000, 195)
    assert (use.memory_p95_mib, use.memory_max_mib, use.samples, use.source) == (100, 300, 20, "cgroup")
    assert (use.cpu_seconds, use.seconds, use.throttled_seconds) == (3.9, 20.0, 0.5)
    assert UseRecorder().use() is None


def test_one_look_at_processes_makes_the_whole_an_estimate_of_processes() -> None:
    use = recorded(Sample(1, 0, 0, None, cgroup=True), Sample(1, 0, 0)).use()
    assert use is not None
    assert (use.source, use.throttled_seconds) == ("processes", None)


def test_the_series_is_a_point_a_second_and_600_at_most() -> None:
    short = recorded(*[Sample(1.0, 0.5, 10 * MIB)] * 3).series().splitlines()
    assert [json.loads(line) for line in short][-1] == {
        "seconds": 3.0,
        "cpuMillis": 500,
        "cpuMaxMillis": 500,
        "memoryMib": 10,
    }
    long = recorded(*[Sample(1.0, 0.1, MIB)] * 1500, Sample(1.0, 3.0, 9 * MIB)).series()
    points = [json.loads(line) for line in long.splitlines()]
    assert len(points) <= MOST_POINTS
    assert (points[-1]["seconds"], points[-1]["cpuMaxMillis"], points[-1]["memoryMib"]) == (1501.0, 3000, 9)
    assert len(long) < 50_000
    assert recorded().series() == b""


def test_what_a_hand_tells_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = (
        Sample(0.0, 1.0, 1),
        Sample(-1.0, 1.0, 1),
        Sample(1.0, -1.0, 1),
        Sample(1.0, 1e300, 1),
        Sample(1.0, 1.0, -1),
        Sample(1.0, 1.0, 1 << 80),
        Sample(1.0, 1.0, 1, -1.0),
    )
    assert recorded(*wrong).use() is None
    huge = recorded(Sample(0.001, 1e8, 1 << 59)).use()
    assert huge is not None
    assert huge.cpu_max_millis == huge.memory_max_mib == 4_000_000_000
    monkeypatch.setattr("crosswind.runner.sampling.MOST_SAMPLES", 3)
    few = recorded(*[Sample(1, 1, 1)] * 5).use()
    assert few is not None
    assert few.samples == 3
    assert MOST_SAMPLES > 24 * 3600


@pytest.mark.parametrize(
    "read",
    [
        {},
        {"s": "1", "c": 1, "m": 1},
        {"s": float("nan"), "c": 1, "m": 1},
        {"s": True, "c": 1, "m": 1},
        {"s": 1, "c": [1], "m": 1},
        {"s": 1, "c": 1, "m": float("inf")},
        {"s": 10**400, "c": 1, "m": 1},
    ],
)
def test_what_is_no_sample_on_the_wire_is_none(read: dict[str, object]) -> None:
    assert from_json(read) is None


def test_a_sample_crosses_the_wire() -> None:
    sample = Sample(1.0, 0.5, 1024, 0.1, cgroup=True)
    assert from_json(json.loads(json.dumps(to_json(sample)))) == sample


def test_accounts_of_both_versions_of_cgroups_are_read(tmp_path: Path) -> None:
    (tmp_path / "cpu.stat").write_text("usage_usec 2500000\nuser_usec 1\nthrottled_usec 500000\n")
    (tmp_path / "memory.current").write_text("5000\n")
    (tmp_path / "memory.stat").write_text("anon 10\ninactive_file 1000\n")
    assert CgroupV2(tmp_path).read() == Totals(2.5, 4000, 0.5)
    assert container_account(tmp_path) == CgroupV2(tmp_path)

    old = tmp_path / "old"
    for name in ("cpuacct", "memory", "cpu"):
        (old / name).mkdir(parents=True)
    (old / "cpuacct" / "cpuacct.usage").write_text("2500000000\n")
    (old / "memory" / "memory.usage_in_bytes").write_text("5000\n")
    (old / "memory" / "memory.stat").write_text("total_inactive_file 1000\n")
    assert CgroupV1(old).read() == Totals(2.5, 4000, None)
    (old / "cpu" / "cpu.stat").write_text("nr_periods 3\nthrottled_time 500000000\n")
    assert CgroupV1(old).read() == Totals(2.5, 4000, 0.5)
    assert container_account(old) == CgroupV1(old)
    assert container_account(tmp_path / "none") is None


def test_accounts_that_break_off_give_no_sample() -> None:
    answers = [Totals(1.0, 1), None, Totals(3.0, 1), Totals(2.0, 1)]

    class Breaking:
        cgroup = True

        def read(self) -> Totals | None:
            return answers.pop(0)

    seen: list[Sample] = []
    sampler = Sampler(Breaking(), seen.append)
    sampler.begin(0.0)
    for now in (0.5, 1.0, 2.0, 3.0):
        sampler.look(now)
    assert [sample.cpu_seconds for sample in seen] == [0.0]  # an account that went back used nothing
