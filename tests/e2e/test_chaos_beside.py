"""Experiments beside a suite's stages: started with the tests, stopped with them, judged apart from them."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.conftest import Cloud
from tests.e2e.experiments import Application, Experiments, application, document, freeze, ok
from tests.e2e.runs import Api, command_job, pack, suite

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("chaos")]

REPORT = '<testsuites><testsuite name="s"><testcase classname="c" name="waits"/></testsuite></testsuites>'


@pytest.fixture(scope="module")
def experiments(cloud: Cloud) -> Experiments:
    return Experiments(cloud)


@pytest.fixture
def app(cloud: Cloud, request: pytest.FixtureRequest) -> Iterator[Application]:
    name = str(request.node.name).replace("_", "-")[5:45].strip("-")
    with application(cloud, name) as started:
        yield started
        assert not started.frozen, "something was left injected"


def beside(experiment: str, *, seconds: int, after: int = 0, **chaos: Any) -> dict[str, Any]:
    """A suite whose first stage takes so long beside an experiment, and whose second is quick."""
    work = f"sleep {seconds}; printf '%s' '{REPORT}' > report.xml"
    made = suite([command_job(work)], [command_job(f"sleep {after}; {work.split('; ')[1]}", name="after")])
    made["spec"]["stages"][0]["chaos"] = {"experiment": experiment, **chaos}
    return made


def approved(experiments: Experiments, spec: dict[str, Any]) -> str:
    name = experiments.store(spec)
    experiments.approve(name)
    return name


def patient(app: Application) -> dict[str, object]:
    probe = {"name": "answers", "type": "http", "url": app.url, "timeout": "1s", "ratio": 0.01}
    return {"title": "somebody ends it", "probes": [probe]}


def test_a_stage_under_chaos_is_marked_and_its_end_undoes_the_experiment(
    experiments: Experiments, api: Api, app: Application
) -> None:
    spec = document("beside-long", app.url, freeze(app.name, 170), hypothesis=patient(app))
    name = approved(experiments, spec)
    run = api.submit(beside(name, seconds=45), files={"x": ""})
    going_on = api.until(run, lambda view: bool(view["chaos"][0].get("injectedAt")))
    assert app.frozen
    assert going_on["chaos"][0]["state"] == "Monitoring"
    ended = api.finished(run)
    assert not app.frozen
    [chaos] = ended["chaos"]
    assert ended["verdict"]["kind"] == "passed", ended
    assert (chaos["state"], chaos["verdict"]) == ("Analyzed", "aborted"), chaos
    assert f"({chaos['experimentRun']}: aborted)" in ended["verdict"]["reason"]
    view = experiments.run(chaos["experimentRun"])
    assert (view["parentRun"], view["abort"]["cause"]) == (run, "suite-ended")
    marked = {work["workId"]: work.get("chaos") for work in api.run(run, detail=True)["work"]}
    assert (marked["shard-00000"], marked["shard-00001"]) == (chaos["experimentRun"], None)
    cases = {case["test"]: case.get("chaos") for case in api.cases(run)}
    assert cases == {"job": chaos["experimentRun"], "after": None}


def test_a_cancelled_run_stops_its_experiment(experiments: Experiments, api: Api, app: Application) -> None:
    spec = document("beside-cancelled", app.url, freeze(app.name, 170), hypothesis=patient(app))
    name = approved(experiments, spec)
    run = api.submit(beside(name, seconds=100), files={"x": ""})
    view = api.until(run, lambda view: bool(view["chaos"][0].get("injectedAt")))
    assert app.frozen
    api.http.delete(f"/api/v1/tests/{run}").raise_for_status()
    ended = experiments.ended(view["chaos"][0]["experimentRun"])
    assert ended["abort"]["cause"] == "suite-ended"
    assert api.finished(run)["verdict"]["kind"] == "cancelled"


def test_a_gate_that_blocks_leaves_the_tests_without_chaos_and_the_run_inconclusive(
    experiments: Experiments, api: Api, app: Application
) -> None:
    name = approved(experiments, document("beside-blocked", app.url, freeze(app.name, 3)))
    incident = {"team": "demo", "id": "inc-2", "environment": "local", "title": "checkout is down"}
    editor = experiments.as_("editor")
    ok(editor.post("/api/v1/incidents", json=incident))
    try:
        ended = api.finished(api.submit(beside(name, seconds=25), files={"x": ""}))
    finally:
        ok(editor.post("/api/v1/incidents", json={**incident, "state": "resolved"}))
    assert ended["verdict"]["kind"] == "inconclusive", ended
    assert "no fault was in while its tests ran" in ended["verdict"]["reason"]
    assert ended["chaos"][0]["verdict"] == "not-injected"
    assert not any(work.get("chaos") for work in ended["work"])


def test_an_experiment_that_cannot_start_is_refused_with_the_suite(
    experiments: Experiments, api: Api
) -> None:
    made = beside("nobody-knows-it", seconds=1)
    digest = api.upload(b"x")
    for stage in made["spec"]["stages"]:
        stage["tests"][0]["source"] = {"archive": {"digest": digest}}
    answer = api.http.post("/api/v1/tests", json={"spec": made})
    assert answer.status_code == 422
    [fault] = answer.json()["errors"]
    assert fault["path"] == "spec.stages[0].chaos.experiment"
    del experiments


def test_a_stored_suite_is_a_probe_whose_verdict_counts(
    experiments: Experiments, api: Api, app: Application
) -> None:
    made = suite([command_job(f"printf '%s' '{REPORT}' > report.xml")], name="smoke")
    made["spec"]["stages"][0]["tests"][0]["source"] = {"archive": {"digest": api.upload(pack({"x": ""}))}}
    ok(api.http.put("/api/v1/suites/smoke", json=made))
    probes = [
        {"name": "answers", "type": "http", "url": app.url, "timeout": "1s", "ratio": 0.5},
        {"name": "smoke", "type": "suite", "suite": "smoke", "phases": ["after"], "timeout": "90s"},
    ]
    slowly = freeze(app.name, 4) | {"action": "cpu", "parameters": {"share": 0.3}}
    hypothesis = {"title": "the smoke test passes afterwards", "probes": probes}
    run = experiments.start(
        document("probed-by-suite", app.url, slowly, hypothesis=hypothesis, recovery="100s")
    )
    view = experiments.ended(run)
    assert (view["state"], view["verdict"]) == ("Analyzed", "held"), view
    [probed] = [each for each in experiments.results(run)["hypothesis"] if each["probe"] == "smoke"]
    assert (probed["phase"], probed["samples"], probed["within"]) == ("after", 1, 1)
