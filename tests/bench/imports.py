"""Import time of each Lambda handler against a bare `import boto3`, both in fresh interpreters, interleaved.

    python -m tests.bench.imports [--rounds 7] [--json]

A cold start pays the import before the first request. The figure is the least of the rounds (noise only adds), with the time of
an interpreter that imports nothing taken off both. Byte code is compiled beforehand, as it is in the deployed layers.
"""

import argparse
import compileall
import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
FUNCTIONS = ROOT / "functions"
CORE = ROOT / "layers/core/python"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    for folder in (FUNCTIONS, CORE):
        compileall.compile_dir(str(folder), quiet=2)
    statements = {"(nothing)": "pass", "boto3": "import boto3"} | {
        f"{path.parent.name}/{path.stem}": f"import sys; sys.path.insert(0, {str(path.parent)!r}); import {path.stem}"
        for path in sorted(FUNCTIONS.glob("*/*.py"))
        if path.stem != "__init__"
    }
    best = dict.fromkeys(statements, float("inf"))
    for _ in range(options.rounds):
        for name, statement in statements.items():
            best[name] = min(best[name], _seconds(statement))
    nothing = best.pop("(nothing)")
    baseline = best.pop("boto3") - nothing
    rows = {name: seconds - nothing for name, seconds in best.items()}
    if options.json:
        print(json.dumps({"baseline_seconds": baseline, "seconds": rows}, indent=2))
        return
    print(f"{'baseline: import boto3':<28} {baseline * 1000:6.0f} ms")
    for name, seconds in sorted(rows.items(), key=lambda row: -row[1]):
        print(f"{name:<28} {seconds * 1000:6.0f} ms   {seconds / baseline:4.2f} x")


def _seconds(statement: str) -> float:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(CORE)}
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True, env=environment, cwd=ROOT)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
