"""The example shop's suite of all frameworks, started with parameters, and what its jobs came to."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from tests.e2e.conftest import Cloud

SUITE = Path(__file__).parents[2] / "examples/shop/frameworks.yaml"


def started(cloud: Cloud, **parameters: str) -> str:
    """Start the suite of all frameworks; its execution id."""
    given = [
        word
        for name, value in parameters.items()
        for word in ("--param", f"{name.replace('_', '-')}={value}")
    ]
    done = cloud.crosswind("run", "-f", str(SUITE), "--json", *given, CROSSWIND_TOKEN=cloud.token("runner"))
    assert done.returncode == 0, done.stderr
    return str(json.loads(done.stdout)["executionId"])


def by_job(cases: list[dict[str, Any]]) -> dict[str, Counter[str]]:
    """How many cases of each status each job has."""
    found: dict[str, Counter[str]] = {}
    for case in cases:
        found.setdefault(case["test"], Counter())[case["status"]] += 1
    return found
