"""Experiments end to end: reviewed, gated, really injected, watched, undone on every path, and judged."""

import os
import signal
import time
from collections.abc import Iterator

import psutil
import pytest

from tests.e2e.conftest import SNAPSHOT_SECONDS, Cloud
from tests.e2e.experiments import Application, Experiments, application, document, freeze, guard, ok

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("chaos")]


@pytest.fixture(scope="module")
def experiments(cloud: Cloud) -> Experiments:
    return Experiments(cloud)


@pytest.fixture
def app(cloud: Cloud, request: pytest.FixtureRequest) -> Iterator[Application]:
    name = str(request.node.name).replace("_", "-")[5:45].strip("-")
    with application(cloud, name) as started:
        yield started
        assert not started.frozen, "something was left injected"


def holders() -> list[str]:
    lines = (process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"]))
    return [line[-3] for line in lines if "crosswind.adapters.providers.process.holder" in line]


def test_what_the_service_bears_holds_and_is_reported(experiments: Experiments, app: Application) -> None:
    slowly = freeze(app.name, 4) | {"action": "cpu", "parameters": {"share": 0.3}}
    run = experiments.start(document("bears-it", app.url, slowly))
    view = experiments.ended(run)
    assert (view["state"], view["verdict"]) == ("Analyzed", "held"), view
    results = experiments.results(run)
    assert {each["phase"] for each in results["hypothesis"]} == {"before", "during", "after"}
    assert set(results["reports"]) == {"html", "json", "junit", "journal"}
    assert experiments.moves(run) == [
        "Scheduled",
        "PreFlightCheck",
        "Running",
        "Monitoring",
        "Completed",
        "Recovery",
        "Analyzed",
    ]
    assert run not in str(holders())


def test_a_breach_undoes_the_fault_within_seconds_and_the_hypothesis_is_falsified(
    experiments: Experiments, app: Application
) -> None:
    spec = document("hangs", app.url, freeze(app.name, 60), abortOn=guard(app.url))
    run = experiments.start(spec)
    experiments.in_state(run, "Monitoring")
    assert app.frozen
    view = experiments.ended(run)
    assert (view["state"], view["verdict"], view["abort"]["cause"]) == ("Analyzed", "falsified", "slo"), view
    assert view["timings"]["toAbort"] < 10
    assert run not in str(holders())


def test_nobody_approves_their_own_and_an_edit_voids_what_was_approved(
    experiments: Experiments, app: Application
) -> None:
    name = experiments.store(document("own", app.url, freeze(app.name, 5)))
    editor = experiments.as_("editor")
    ok(editor.post(f"/api/v1/experiments/{name}/submit", params={"team": "demo"}))
    digest = ok(editor.post(f"/api/v1/experiments/{name}/preview", params={"team": "demo"}))["digest"]
    path = f"/api/v1/experiments/{name}/approve"
    own = editor.post(path, params={"team": "demo"}, json={"digest": digest})
    assert own.status_code in {403, 409}, own.text
    assert (
        editor.post(f"/api/v1/experiments/{name}/start", params={"team": "demo"}, json={}).status_code == 409
    )
    ok(experiments.as_("admin").post(path, params={"team": "demo"}, json={"digest": digest}))
    experiments.store(document("own", app.url, freeze(app.name, 6)))
    assert (
        editor.post(f"/api/v1/experiments/{name}/start", params={"team": "demo"}, json={}).status_code == 409
    )


def test_an_abort_by_hand_undoes_everything(experiments: Experiments, app: Application) -> None:
    run = experiments.start(document("by-hand", app.url, freeze(app.name, 120), hypothesis=_patient(app)))
    experiments.in_state(run, "Monitoring")
    assert app.frozen
    body = {"reason": "enough", "runId": run}
    ok(
        experiments.as_("editor").post(
            "/api/v1/experiments/by-hand/abort", params={"team": "demo"}, json=body
        )
    )
    view = experiments.ended(run)
    assert (view["abort"]["cause"], view["abort"]["reason"]) == ("actor", "enough")
    assert view["verdict"] in {"aborted", "falsified"}


def test_a_silent_monitor_ends_the_experiment(
    experiments: Experiments, app: Application, cloud: Cloud
) -> None:
    run = experiments.start(document("silent", app.url, freeze(app.name, 170), hypothesis=_patient(app)))
    experiments.in_state(run, "Monitoring")
    pool = psutil.Process(cloud.state.processes["pool"].pid)
    for runner in pool.children():  # whichever has the monitor
        os.kill(runner.pid, signal.SIGKILL)
    killed = time.monotonic()
    view = experiments.ended(run)
    assert time.monotonic() - killed < 120
    assert view["abort"]["cause"] == "monitor-silent", view
    assert view["verdict"] in {"aborted", "inconclusive", "falsified"}


def test_a_breach_that_a_restarted_control_plane_no_longer_waits_for_is_undone_by_the_reaper(
    experiments: Experiments, app: Application, cloud: Cloud
) -> None:
    """The execution is gone with the emulator; the monitor goes on, and nobody acts on what it tells."""
    (late,) = guard(app.url)
    spec = document(
        "restarted",
        app.url,
        freeze(app.name, 170),
        hypothesis=_patient(app),
        abortOn=[{**late, "breachedFor": "15s"}],
    )
    run = experiments.start(spec)
    experiments.in_state(run, "Monitoring")
    time.sleep(SNAPSHOT_SECONDS)
    cloud.kill_emulator()
    cloud.up()
    view = experiments.ended(run)
    assert not app.frozen
    assert (view["state"], view["abort"]["cause"]) == ("Analyzed", "slo"), view


def test_a_halt_stops_what_runs_and_lets_nothing_start_until_it_is_released(
    experiments: Experiments, app: Application
) -> None:
    run = experiments.start(document("halted", app.url, freeze(app.name, 120), hypothesis=_patient(app)))
    experiments.in_state(run, "Monitoring")
    admin = experiments.as_("admin")
    try:
        halted = ok(admin.post("/api/v1/chaos/halt", json={"reason": "a real outage"}))
        assert run in halted["stopping"]
        assert experiments.ended(run)["abort"]["cause"] == "halt"
        assert not app.frozen
        refused = experiments.as_("editor").post(
            "/api/v1/experiments/halted/start", params={"team": "demo"}, json={}
        )
        assert refused.status_code == 409
    finally:
        released = ok(admin.post("/api/v1/chaos/release", json={"reason": "it is over"}))
    assert not released["halted"]


def test_an_incident_keeps_an_experiment_from_starting(experiments: Experiments, app: Application) -> None:
    incident = {"team": "demo", "id": "inc-1", "environment": "local", "title": "checkout is down"}
    editor = experiments.as_("editor")
    spec = document("waits", app.url, freeze(app.name, 3))
    ok(editor.post("/api/v1/incidents", json=incident))
    try:
        run = experiments.start(spec)
        view = experiments.in_state(run, "Blocked")
        failed = [check["name"] for check in view["decision"]["checks"] if check["status"] == "fail"]
        assert failed == ["incidents"]
        assert not app.frozen
    finally:
        ok(editor.post("/api/v1/incidents", json={**incident, "state": "resolved"}))
    body = {"reason": "not today", "runId": run}
    ok(editor.post("/api/v1/experiments/waits/abort", params={"team": "demo"}, json=body))
    ended = experiments.ended(run)
    assert ended["verdict"] in {"aborted", "not-injected"}


def _patient(app: Application) -> dict[str, object]:
    """A hypothesis that a frozen service does not falsify at once."""
    probe = {"name": "answers", "type": "http", "url": app.url, "timeout": "1s", "ratio": 0.01}
    return {"title": "somebody ends it", "probes": [probe]}
