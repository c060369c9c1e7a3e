"""The report as one HTML page that needs nothing else: no script, no network, everything escaped."""

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from crosswind.adapters.reports.experiments.chart import draw
from crosswind.contracts.chaos.runs import ExperimentResults
from crosswind.kernel.clock import from_iso

if TYPE_CHECKING:
    from jinja2 import Template


def render(results: ExperimentResults) -> bytes:
    """The page as UTF-8."""
    return _template().render(results=results, run=results.run, chart=draw(results), clock=_clock).encode()


def _clock(at: str | None) -> str:
    """The time of day of a moment; the page tells the day once."""
    return from_iso(at).strftime("%H:%M:%S.%f")[:-5] if at else "-"


@cache
def _template() -> "Template":
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415  # only where a report is made

    text = (
        resources.files("crosswind.adapters.reports.experiments")
        .joinpath("report.html.j2")
        .read_text("utf-8")
    )
    return Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    ).from_string(text)
