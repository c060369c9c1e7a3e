"""The report of a run of an experiment, in every form that is kept: HTML, JSON, JUnit, the Chaos Toolkit's journal."""

from collections.abc import Mapping

from crosswind.adapters.reports.experiments import html, journal, junit
from crosswind.chaos.layout import Report
from crosswind.contracts.chaos.runs import ExperimentResults


def render(results: ExperimentResults) -> Mapping[Report, bytes]:
    """All forms of one report."""
    return {
        "html": html.render(results),
        "json": results.to_wire().encode(),
        "junit": junit.render(results),
        "journal": journal.render(results),
    }
