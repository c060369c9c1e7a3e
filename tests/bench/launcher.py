"""What a cold launcher imports, against a bare `import boto3`, and against the `kubernetes` package that it does without.

    python -m tests.bench.launcher [--rounds 7] [--json]

Fresh interpreters, interleaved; the figure is the least of the rounds, with an interpreter that imports nothing taken off.
Sizes are of the installed packages, as they would lie in a layer.
"""

import argparse
import importlib.metadata
import json
import subprocess
import sys
import time
from pathlib import Path

from tests.bench.imports import CORE, FUNCTIONS

_FUNCTION = f"import sys; sys.path.insert(0, {str(FUNCTIONS / 'runs')!r});"
_STATEMENTS = {
    "(nothing)": "pass",
    "boto3": "import boto3",
    "launcher, at its first message": f"{_FUNCTION} import launch_work; import botocore.session; "
    "import crosswind.runs.usecases.launching, crosswind.adapters.kubernetes.clusters, "
    "crosswind.adapters.aws.pod_store, crosswind.adapters.aws.work_store, crosswind.adapters.aws.queues",
    "observer, at its first look": f"{_FUNCTION} import observe_pods; import botocore.session; "
    "import crosswind.runs.usecases.observing_pods, crosswind.adapters.kubernetes.clusters, "
    "crosswind.adapters.aws.pod_store, crosswind.adapters.aws.work_store",
    "kubernetes: BatchV1Api and CoreV1Api": "from kubernetes import client; client.BatchV1Api; client.CoreV1Api",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    best = dict.fromkeys(_STATEMENTS, float("inf"))
    for _ in range(options.rounds):
        for name, statement in _STATEMENTS.items():
            best[name] = min(best[name], _seconds(statement))
    nothing = best.pop("(nothing)")
    baseline = best["boto3"] - nothing
    sizes = {name: _mebibytes(name) for name in ("kubernetes", "urllib3")}
    seconds = {name: each - nothing for name, each in best.items()}
    if options.json:
        print(json.dumps({"seconds": seconds, "mebibytes": sizes}, indent=2))
        return
    for name, each in seconds.items():
        print(f"{name:<40} {each * 1000:6.0f} ms   {each / baseline:5.2f} x boto3")
    for name, size in sizes.items():
        print(f"{name:<40} {size:6.1f} MiB installed")


def _seconds(statement: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True, env={"PYTHONPATH": str(CORE)})
    return time.perf_counter() - started


def _mebibytes(name: str) -> float:
    files = importlib.metadata.files(name) or ()
    paths = [Path(str(each.locate())) for each in files if each.suffix == ".py"]
    return sum(path.stat().st_size for path in paths if path.exists()) / 2**20


if __name__ == "__main__":
    main()
