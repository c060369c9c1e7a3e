"""What is wrong with a load test, told by field when the suite is validated."""

from typing import Any

import pytest

from crosswind.kernel.errors import InvalidInputError
from crosswind.runs.resolving import bind_parameters, expand, resolved_test
from crosswind.runs.specs import parse_document
from tests.unit.runs.suites_samples import any_job, any_suite

TEST = "spec.stages[0].tests[0]"


def load_job(**changes: Any) -> dict[str, Any]:
    job = any_job(framework="k6", args=["load.js"], load={"workers": 2})
    for name in ("shards", "reports", "command", "retries"):
        job.pop(name, None)
    return job | changes


def faults(job: dict[str, Any], **spec: Any) -> dict[str, str]:
    document = any_suite(job)
    document["spec"] |= spec
    with pytest.raises(InvalidInputError) as caught:
        parse_document(document)
    return {fault.path.removeprefix(f"{TEST}."): fault.message for fault in caught.value.errors}


def test_a_load_job_has_as_many_shards_as_workers() -> None:
    suite = parse_document(any_suite(load_job(load={"workers": 3, "thresholds": {"latency": ["p(95)<1s"]}})))

    (job,) = expand(suite, bind_parameters(suite, {}))
    test = resolved_test(job, prepare_work_id="prepare-00000", discovery_key=None)

    assert test.shards == 3
    assert test.load is not None
    assert test.load.thresholds == {"latency": ("p(95)<1s",)}


@pytest.mark.parametrize(
    ("changes", "path", "told"),
    [
        ({"load": None}, "load", "is required by framework `k6`"),
        ({"framework": "pytest"}, "load", "is of frameworks jmeter and k6 only"),
        ({"load": {"workers": 51}}, "load.workers", ""),
        ({"load": {"readyWithin": "2h"}}, "load.readyWithin", "is out of bounds"),
        ({"load": {"thresholds": {"latency": ["p95<1"]}}}, "load.thresholds.latency[0]", "is no threshold"),
        (
            {"load": {"thresholds": {"latency": ["rate<0.1"]}}},
            "load.thresholds.latency[0]",
            "`latency` has avg, max, med, min, p(N) only",
        ),
        ({"load": {"thresholds": {"a{b": ["avg<1"]}}}, "load.thresholds.a{b", "is no metric"),
        ({"load": {"baseline": {"run": "yesterday"}}}, "load.baseline.run", ""),
        ({"load": {"baseline": {"metrics": ["latency.p42"]}}}, "load.baseline.metrics[0]", ""),
        ({"load": {"wrokers": 2}}, "load.wrokers", ""),
        ({"args": ["--vus", "3"]}, "args", "name no script"),
        ({"framework": "jmeter"}, "args", "name no plan"),
        ({"shards": {"count": 2}}, "shards.count", "a load test has workers instead"),
        ({"antiAffinity": "a"}, "antiAffinity", "could never run at the same time"),
        ({"reports": ["*.xml"]}, "reports", "come from what it measured"),
    ],
)
def test_faults(changes: dict[str, Any], path: str, told: str) -> None:
    job = {name: value for name, value in (load_job() | changes).items() if value is not None}

    found = faults(job)

    assert path in found, found
    assert told in found[path]


@pytest.mark.parametrize("limit", ["concurrency", "suiteConcurrency"])
def test_more_workers_than_may_run_at_once_would_never_be_ready(limit: str) -> None:
    found = faults(load_job(load={"workers": 4}), **{limit: 3})

    assert found["load.workers"].startswith(
        "only 3 shards may run at once, so 4 workers would never be ready"
    )


def test_a_load_is_never_sent_again() -> None:
    found = faults(load_job(retries={"tests": 1}))

    assert "retries.tests" in found
