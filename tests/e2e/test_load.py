"""A load test from its suite to its verdict: two runners, real k6 and JMeter, one merged result."""

import pytest

from tests.e2e.conftest import Cloud
from tests.e2e.frameworks import by_job, started
from tests.e2e.runs import Api, suite
from tests.unit.frameworks.load_target import target
from tests.unit.frameworks.load_tools import jmeter, k6

pytestmark = pytest.mark.e2e

SCRIPT = """
import http from 'k6/http';
import { check } from 'k6';
export const options = { vus: 2, iterations: 60, thresholds: { http_req_duration: ['p(95)<5000'] } };
export default function () {
  check(http.get(`${__ENV.TARGET}/`), { 'is 200': (answer) => answer.status === 200 });
  http.get(`${__ENV.TARGET}/missing`, { tags: { name: 'missing' } });
}
"""


def test_two_workers_send_one_load_and_a_breached_threshold_fails_with_the_merged_figure(api: Api) -> None:
    with target() as address:
        job = {
            "name": "buy",
            "framework": "k6",
            "command": k6(),
            "args": ["load.js"],
            "env": {"TARGET": address},
            "timeout": "1m",
            "load": {
                "workers": 2,
                "readyWithin": "1m",
                "thresholds": {"http_reqs": ["count==120"], "error_rate": ["rate<1%"]},
                "baseline": {"run": "last-passed"},
            },
        }
        run = api.submit(suite([job], name="load"), files={"load.js": SCRIPT})
        view = api.finished(run)

    cases = {case["name"]: case for case in api.cases(run)}
    assert {name: case["status"] for name, case in cases.items()} == {
        "load": "passed",
        "threshold http_req_duration p(95)<5000": "passed",
        "threshold http_reqs count==120": "passed",
        "threshold error_rate rate<1%": "failed",
        "check is 200": "passed",
        "request GET missing": "failed",
        f"request GET {address}/": "passed",
        "baseline": "skipped",
    }
    assert cases["load"]["message"].startswith("120 requests by 2 workers in ")
    assert cases["threshold error_rate rate<1%"]["message"].startswith("rate of error_rate was 0.5, over all")
    assert view["verdict"]["kind"] == "failed", view
    assert view["shards"] == {"total": 2, "waiting": 0, "running": 0, "done": 2}


def test_k6_and_jmeter_send_their_load_to_the_shop_from_two_workers_each(api: Api, cloud: Cloud) -> None:
    run = started(cloud, api="false", load="true", k6=k6(), jmeter=jmeter())

    view = api.finished(run)

    assert view["verdict"]["kind"] == "passed", view
    cases = api.cases(run)
    assert set(by_job(cases)) == {"k6", "jmeter"}
    for job in ("k6", "jmeter"):
        own = {case["name"]: case for case in cases if case["test"] == job}
        assert " by 2 workers in " in own["load"]["message"]
        assert own["threshold error_rate rate<1%"]["status"] == "passed"
        assert own["threshold latency p(95)<2000"]["status"] == "passed"
