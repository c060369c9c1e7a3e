"""A package that nobody here wrote: Crosswind's totals are what pytest alone reports."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.bench.third_party import SUITE, prepare_alone
from tests.e2e.conftest import Cloud
from tests.e2e.runs import Api

pytestmark = pytest.mark.e2e


def test_the_totals_in_four_shards_equal_those_of_pytest_alone(
    api: Api, cloud: Cloud, tmp_path: Path
) -> None:
    started = cloud.crosswind(
        "run", "-f", str(SUITE / "suite.yaml"), "--json", CROSSWIND_TOKEN=cloud.token("runner")
    )
    assert started.returncode == 0, started.stderr
    run = str(json.loads(started.stdout)["executionId"])

    alone = tmp_path / "alone"
    prepare_alone(alone, extra=())
    told = subprocess.run(
        [str(alone / ".venv/bin/python"), "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"],
        cwd=alone,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(alone / ".deps")},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    counts = {what: int(number) for number, what in re.findall(r"([0-9]+) (passed|skipped)", told)}
    total = counts["passed"] + counts["skipped"]

    view = api.finished(run)
    assert view["verdict"]["kind"] == "passed", view
    assert view["shards"]["total"] == 4
    assert {name: view["tests"][name] for name in ("total", *counts)} == {"total": total, **counts}
    assert total > 600
