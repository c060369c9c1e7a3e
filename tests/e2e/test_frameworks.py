"""Every framework's tool, run for real against the example shop: listed, sharded, judged, with what it leaves of a failure.

Node and Python are all that the tools of the API need; browsers and Maven are used where they are installed.
"""

import shutil

import pytest

from tests.e2e.conftest import Cloud
from tests.e2e.frameworks import by_job, started
from tests.e2e.runs import Api

pytestmark = pytest.mark.e2e

CHROMIUM, CHROMEDRIVER = shutil.which("chromium"), shutil.which("chromedriver")


def test_tools_that_test_an_api_are_listed_sharded_and_judged(api: Api, cloud: Cloud) -> None:
    run = started(cloud)
    view = api.finished(run)
    assert view["verdict"]["kind"] == "passed", view
    assert view["shards"]["total"] == 10  # two of each tool
    jobs = by_job(api.cases(run))
    assert set(jobs) == {"newman", "jest", "vitest", "robot", "unittest"}
    assert all(set(counts) == {"passed"} and counts["passed"] >= 4 for counts in jobs.values()), jobs


@pytest.mark.skipif(not (CHROMIUM and CHROMEDRIVER), reason="needs chromium and chromedriver")
def test_a_browser_test_that_fails_leaves_its_picture(api: Api, cloud: Cloud) -> None:
    run = started(
        cloud,
        api="false",
        browser="true",
        show_failure="1",
        chromium_no_sandbox="1",
        chromium=str(CHROMIUM),
        chromedriver=str(CHROMEDRIVER),
    )

    view = api.finished(run)

    assert view["verdict"]["kind"] == "failed", view
    jobs = by_job(api.cases(run))
    assert set(jobs) == {"playwright", "selenium"}
    assert all(counts["failed"] == 1 and counts["passed"] >= 4 for counts in jobs.values()), jobs
    failed = {case["workId"] for case in api.cases(run, status="failed")}
    kept = api.http.get(f"/api/v1/tests/{run}/artifacts", params={"limit": "100"}).json()["items"]
    assert {each["workId"] for each in kept if each["path"].endswith(".png")} == failed


@pytest.mark.skipif(not shutil.which("mvn"), reason="needs Maven and a JDK")
def test_classes_of_a_maven_project_are_spread_over_shards(api: Api, cloud: Cloud) -> None:
    run = started(cloud, api="false", jvm="true")

    view = api.finished(run)

    assert view["verdict"]["kind"] == "passed", view
    cases = api.cases(run)
    assert len({case["workId"] for case in cases}) == 2
    assert all(case["name"].startswith("shop.") and "#" in case["name"] for case in cases)
