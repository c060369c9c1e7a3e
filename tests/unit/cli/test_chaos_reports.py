"""`crosswind chaos results|timeline|report`."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.fakes.chaos import exp_id
from tests.unit.cli.fake_api import FakeApi, Terminal

RUN_ID = exp_id()
AT = "2026-01-31T08:00:00.000Z"
RUN: dict[str, Any] = {
    "runId": RUN_ID,
    "experiment": "payment-frozen",
    "team": "demo",
    "revision": 1,
    "environment": "local",
    "state": "Analyzed",
    "verdict": "falsified",
    "reason": "orders hung",
    "createdAt": AT,
    "requestedBy": "ada",
    "timings": {"toAbort": 1.25},
}
PROBE = {
    "probe": "orders",
    "phase": "during",
    "step": 1,
    "samples": 4,
    "within": 1,
    "unknown": 0,
    "ratio": 0.25,
    "required": 0.95,
    "held": False,
    "worst": "orders out of tolerance: no answer",
}
RESULTS: dict[str, Any] = {
    "run": RUN,
    "title": "orders are taken",
    "hypothesis": [PROBE],
    "evidence": ["freeze was in for 7.0 s."],
    "reports": {"html": "https://storage.example/report.html"},
}


def test_results_tell_verdict_evidence_and_times(crosswind: Terminal, api: FakeApi) -> None:
    api.on("GET /api/v1/experiments/-/results", RESULTS)
    told = crosswind("chaos", "results", RUN_ID)
    assert told.exit_code == 0, told.output
    for text in ("falsified", "to abort 1.2 s", "1 of 4 within", "no answer", "freeze was in"):
        assert text in told.stdout
    (request,) = api.sent("GET /api/v1/experiments/-/results")
    assert request.url.params["run"] == RUN_ID


def test_a_timeline_is_read_to_its_end(crosswind: Terminal, api: FakeApi) -> None:
    line = {"at": AT, "number": 1, "kind": "move", "actor": "engine"}
    pages = iter(
        [
            {"items": [{**line, "text": "Scheduled → PreFlightCheck"}], "nextCursor": "next"},
            {"items": [{**line, "number": 2, "text": "Recovery → Analyzed"}]},
        ]
    )
    api.on("GET /api/v1/experiments/-/timeline", lambda _: httpx.Response(200, json=next(pages)))
    told = crosswind("chaos", "timeline", RUN_ID)
    assert "Scheduled → PreFlightCheck" in told.stdout
    assert "Recovery → Analyzed" in told.stdout


def test_a_report_is_saved(
    crosswind: Terminal, api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def save(_client: object, url: str, target: Path) -> int:
        assert url == "https://storage.example/report.html"
        return target.write_text("<html>", encoding="utf-8")

    monkeypatch.setattr("crosswind.cli.client.ApiClient.download", save)
    api.on("GET /api/v1/experiments/-/results", RESULTS)
    target = tmp_path / "out.html"
    told = crosswind("chaos", "report", RUN_ID, "-o", str(target))
    assert told.exit_code == 0, told.output
    assert target.read_text(encoding="utf-8") == "<html>"


def test_a_report_that_is_not_there_yet_is_told(crosswind: Terminal, api: FakeApi) -> None:
    going = {**RESULTS, "run": {**RUN, "state": "Monitoring"}, "reports": {}}
    api.on("GET /api/v1/experiments/-/results", going)
    told = crosswind("chaos", "report", RUN_ID, "--format", "junit")
    assert told.exit_code == 2
    assert "no report" in told.output
    assert "Monitoring" in told.output
