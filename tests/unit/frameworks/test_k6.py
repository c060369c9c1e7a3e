"""The k6 adapter: with the real k6 where there is one, and over lines that it writes."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from crosswind.adapters.frameworks.base import Invocation, Launch
from crosswind.adapters.frameworks.k6 import K6Adapter, K6Samples
from crosswind.contracts.load import LoadResult
from crosswind.runner.samples import SamplePipe
from crosswind.runs.load import merging, thresholds
from crosswind.runs.load.recording import Recorder
from tests.unit.frameworks.load_target import target
from tests.unit.frameworks.load_tools import k6

SCRIPT = """
import http from 'k6/http';
import { check } from 'k6';
import { Trend } from 'k6/metrics';
const mine = new Trend('mine', true);
export const options = {
  vus: 4, iterations: 40,
  thresholds: { http_req_duration: ['p(95)<500', { threshold: 'avg<400', abortOnFail: true }],
                'http_req_duration{name:home}': ['max<900'], http_req_failed: ['rate<0.6'] },
};
export default function () {
  const home = http.get(`${__ENV.TARGET}/`, { tags: { name: 'home' } });
  mine.add(home.timings.duration);
  check(home, { 'is 200': (answer) => answer.status === 200 });
  http.get(`${__ENV.TARGET}/missing`, { tags: { name: 'missing' } });
}
"""


@pytest.fixture
def address() -> Iterator[str]:
    with target() as found:
        yield found


def run(launch: Launch, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        launch.argv,
        cwd=folder,
        env={**os.environ, **launch.env, **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def measure(folder: Path, invocation: Invocation, *, worker: int, workers: int, address: str) -> LoadResult:
    adapter = K6Adapter()
    exchange = folder / f"worker-{worker}"
    exchange.mkdir()
    checked = run(adapter.check(invocation, folder=exchange), folder, TARGET=address)
    assert checked.returncode == 0, checked.stderr
    script = {name: tuple(texts) for name, texts in adapter.thresholds(exchange).items()}
    recorder = Recorder(tool="k6", start_at=time.time(), selectors=script)
    pipe = SamplePipe(exchange / "samples", adapter.reader(recorder, thresholds=tuple(script)).feed)
    launch = adapter.load(invocation, samples=exchange / "samples", worker=worker, workers=workers, split=())
    try:
        done = run(launch, folder, TARGET=address)
    finally:
        pipe.close()
    assert done.returncode == 0, done.stderr
    return recorder.result(script)


def test_two_workers_share_the_scripts_load_and_are_judged_as_one(tmp_path: Path, address: str) -> None:
    (tmp_path / "load.js").write_text(SCRIPT)
    invocation = Invocation(command=k6(), args=("load.js",), env={})

    results = [measure(tmp_path, invocation, worker=n, workers=2, address=address) for n in range(2)]

    merged = merging.merge(results)
    assert [sum(part.requests for part in result.slices) for result in results] == [40, 40]
    assert (merged.count, merged.errors, merged.unread) == (80, 40, 0)
    assert merged.checks == {"is 200": (40, 0)}
    assert {name: (part.count, part.errors) for name, part in merged.requests.items()} == {
        "GET home": (40, 0),
        "GET missing": (40, 40),
    }
    assert merged.requests["GET missing"].message == "status 404, 1404"
    judged = {
        (each.metric, each.expression): each
        for each in thresholds.judge(merged.thresholds, merged.metrics, seconds=merged.seconds)
    }
    assert {key: each.held for key, each in judged.items()} == {
        ("http_req_duration", "p(95)<500"): True,
        ("http_req_duration", "avg<400"): True,
        ("http_req_duration{name:home}", "max<900"): True,
        ("http_req_failed", "rate<0.6"): True,
    }
    assert judged["http_req_failed", "rate<0.6"].value == 0.5
    assert merged.metrics["http_req_duration{name:home}"].count == 40
    assert merged.metrics["mine"].count == 40
    assert "http_req_waiting" not in merged.metrics


def test_a_script_that_k6_cannot_read_is_told_before_any_load(tmp_path: Path) -> None:
    (tmp_path / "load.js").write_text("export default function () {")
    adapter = K6Adapter()

    done = run(adapter.check(Invocation(k6(), ("load.js",), {}), folder=tmp_path), tmp_path)

    assert done.returncode != 0
    assert "Unexpected end of input" in done.stderr
    assert adapter.thresholds(tmp_path) == {}


def test_the_segments_of_all_workers_are_the_whole() -> None:
    launches = [
        K6Adapter().load(
            Invocation(None, ("--vus", "9", "load.js"), {}),
            samples=Path("/x/samples"),
            worker=worker,
            workers=3,
            split=(),
        )
        for worker in range(3)
    ]

    argv = launches[1].argv
    assert argv[:5] == ("k6", "run", "--vus", "9", "load.js")
    segments = [launch.argv[launch.argv.index("--execution-segment") + 1] for launch in launches]
    assert segments == ["0:1/3", "1/3:2/3", "2/3:1"]
    assert argv[argv.index("--execution-segment-sequence") + 1] == "0,1/3,2/3,1"
    assert {"--no-thresholds", "--no-usage-report"} <= set(argv)
    assert argv[-2:] == ("--out", "json=/x/samples")


def test_the_check_gets_the_scripts_variables_and_nothing_else(tmp_path: Path) -> None:
    args = ("-e", "A=1", "--vus", "3", "--env", "B=2", "--env=C=3", "sub/load.js", "--duration", "3s")

    argv = K6Adapter().check(Invocation("tools/k6", args, {}), folder=tmp_path).argv

    assert argv[2] == 'tools/k6 "$@" > "$CROSSWIND_INSPECTED"'
    assert argv[4:] == (
        *("inspect", "--include-system-env-vars", "-e", "A=1", "--env", "B=2", "--env=C=3"),
        "sub/load.js",
    )


def test_lines_that_are_no_samples_are_counted_and_parts_of_requests_are_passed_over() -> None:
    recorder = Recorder(tool="k6", start_at=0.0)
    samples = K6Samples(recorder, thresholds=("http_req_waiting{a:b}",))
    point = {"time": "2026-11-23T06:44:38.700369911Z", "value": 3.5, "tags": {"a": "b"}}
    for name in ("http_req_waiting", "http_req_blocked"):
        samples.feed(
            f'{{"metric":"{name}","type":"Metric","data":{{"name":"{name}","type":"trend"}}}}'.encode()
        )
        data = json.dumps(point)
        samples.feed(f'{{"metric":"{name}","type":"Point","data":{data}}}'.encode())
    for line in (b"", b"{", b"[]", b'{"metric":"x","type":"Point","data":{"time":"y","value":1}}', b"\xff"):
        samples.feed(line)

    merged = merging.merge([recorder.result({})])

    assert merged.metrics["http_req_waiting"].count == 1
    assert "http_req_blocked" not in merged.metrics
    assert recorder.unread == 5
