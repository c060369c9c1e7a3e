"""The report's forms: whole, escaped, and never a pass for what did not run."""

import json
from datetime import timedelta
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosswind.adapters.reports.experiments import render
from crosswind.adapters.reports.experiments.chart import draw, thinned
from crosswind.contracts.chaos.lifecycle import AbortCause, ExperimentVerdict, FaultState, RunState
from crosswind.contracts.chaos.monitoring import ProbeSummary, Sample, SampleStatus
from crosswind.contracts.chaos.probes import Phase
from crosswind.contracts.chaos.runs import (
    AbortView,
    ExperimentResults,
    ExperimentRunView,
    FaultView,
    TargetView,
    TimelineEntry,
    TimelineKind,
    Timings,
)
from crosswind.contracts.chaos.spec import ProviderName
from crosswind.kernel.clock import to_iso
from tests.fakes import START
from tests.unit.chaos.verdict.evidence import a_good_run, sample

PASSES = {ExperimentVerdict.HELD}


def parsed(report: bytes) -> ET.Element:
    return ET.fromstring(report)  # noqa: S314  # what we wrote ourselves


def moment(seconds: float) -> str:
    return to_iso(START + timedelta(seconds=seconds))


def results(verdict: ExperimentVerdict = ExperimentVerdict.HELD, *, text: str = "fine") -> ExperimentResults:
    fault = FaultView(
        step=1,
        name="freeze",
        provider=ProviderName.PROCESS,
        action="freeze",
        percent=100,
        state=FaultState.REMOVED,
        targets=(TargetView(provider=ProviderName.PROCESS, kind="service", id="shop/payment", name=text),),
        injected_at=moment(5),
        removed_at=moment(12),
        detail=text,
    )
    run = ExperimentRunView(
        run_id="exp-00000000000000000000000001",
        experiment="payment-frozen",
        team="demo",
        revision=1,
        environment="local",
        state=RunState.ANALYZED,
        created_at=moment(0),
        started_at=moment(0),
        finished_at=moment(20),
        requested_by=text,
        abort=AbortView(cause=AbortCause.SLO, reason=text, by=text, at=moment(9)),
        verdict=verdict,
        reason=text,
        faults=(fault,),
        timings=Timings(to_abort=1.2),
    )
    held = ProbeSummary(
        probe="orders",
        phase=Phase.DURING,
        step=1,
        samples=7,
        within=7,
        unknown=0,
        ratio=1,
        required=0.9,
        held=True,
    )
    return ExperimentResults(
        run=run,
        title=text or "title",
        hypothesis=(held,),
        evidence=(text,),
        samples=tuple(a_good_run()),
        timeline=(TimelineEntry(at=moment(1), number=1, kind=TimelineKind.NOTE, actor=text, text=text),),
    )


@pytest.mark.parametrize("verdict", list(ExperimentVerdict))
def test_only_a_run_that_held_is_green_in_junit(verdict: ExperimentVerdict) -> None:
    suite = parsed(render(results(verdict))["junit"])
    bad = sum(int(suite.get(kind, "0")) for kind in ("failures", "errors", "skipped"))
    assert (bad == 0) == (verdict in PASSES)
    assert int(suite.get("tests", "0")) == len(list(suite))


def test_a_probe_that_did_not_hold_is_a_failure_and_one_that_was_not_measured_an_error() -> None:
    base = results(ExperimentVerdict.FALSIFIED)
    failed, unknown = (
        base.hypothesis[0].model_copy(update={"held": False, "within": 0, "unknown": count})
        for count in (0, 7)
    )
    suite = parsed(render(base.model_copy(update={"hypothesis": (failed, unknown)}))["junit"])
    assert [len(case.findall("failure")) for case in suite] == [1, 1, 0]
    assert [len(case.findall("error")) for case in suite] == [0, 0, 1]


@pytest.mark.parametrize(
    ("verdict", "status", "deviated"),
    [
        (ExperimentVerdict.HELD, "completed", False),
        (ExperimentVerdict.FALSIFIED, "failed", True),
        (ExperimentVerdict.ABORTED, "interrupted", False),
        (ExperimentVerdict.NOT_INJECTED, "aborted", False),
    ],
)
def test_the_journal_has_what_the_chaos_toolkit_asks_for(
    verdict: ExperimentVerdict, status: str, deviated: bool
) -> None:
    journal: dict[str, Any] = json.loads(render(results(verdict))["journal"])
    assert (journal["status"], journal["deviated"]) == (status, deviated)
    assert {"experiment", "start", "end", "duration", "run", "rollbacks", "steady_states"} <= set(journal)
    assert journal["steady_states"]["during"]["steady_state_met"] is True
    assert journal["rollbacks"][0]["status"] == "succeeded"


def test_the_json_report_is_the_document_itself() -> None:
    told = results()
    assert ExperimentResults.model_validate_json(render(told)["json"]) == told


@given(st.text(min_size=1, max_size=60).filter(str.strip))
def test_no_text_becomes_markup_or_breaks_a_form(text: str) -> None:
    forms = render(results(ExperimentVerdict.FALSIFIED, text=text))
    parsed(forms["junit"])
    json.loads(forms["journal"])
    assert b"<script" not in forms["html"]


def test_markup_is_escaped_and_the_page_needs_nothing_else() -> None:
    page = render(results(text='<img src=x onerror="alert(1)">'))["html"].decode()
    assert "<img" not in page
    assert "&lt;img" in page
    assert "default-src 'none'" in page
    assert "<script" not in page
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_a_long_run_is_thinned_and_keeps_every_sample_out_of_tolerance() -> None:
    many = [sample(second / 10) for second in range(9000)]
    bad = [sample(second, SampleStatus.OUTSIDE) for second in (100, 200)]
    kept = thinned([*many, *bad])
    assert len(kept) == 5000
    assert sum(each.status is SampleStatus.OUTSIDE for each in kept) == 2
    assert [each.at for each in kept] == sorted(each.at for each in kept)


def test_a_run_without_samples_has_no_chart() -> None:
    empty: tuple[Sample, ...] = ()
    told = results().model_copy(update={"samples": empty})
    assert draw(told) is None
    assert b"<svg" not in render(told)["html"]
