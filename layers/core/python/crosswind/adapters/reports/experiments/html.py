"""The report as one HTML page that needs nothing else: no script, no network, everything escaped."""

from crosswind.adapters.reports.experiments.chart import draw
from crosswind.contracts.chaos.runs import ExperimentResults
from crosswind.kernel.clock import from_iso
from crosswind.kernel.pages import template


def render(results: ExperimentResults) -> bytes:
    """The page as UTF-8."""
    page = template("crosswind.adapters.reports.experiments", "report.html.j2")
    return page.render(results=results, run=results.run, chart=draw(results), clock=_clock).encode()


def _clock(at: str | None) -> str:
    """The time of day of a moment; the page tells the day once."""
    return from_iso(at).strftime("%H:%M:%S.%f")[:-5] if at else "-"
