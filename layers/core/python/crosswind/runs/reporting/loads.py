"""What a load test measured, as a report shows it: figures with their thresholds and baseline, and charts over time. Pure."""

from crosswind.contracts.load import LoadSummary
from crosswind.runs.reporting.model import LoadMetric, LoadPoint, LoadReport, LoadSeries


def load_report(summary: LoadSummary) -> LoadReport:
    """Figures first, then each threshold with the value that it was judged on."""
    compared = summary.comparison.figures if summary.comparison else ()
    before = {figure.name.value: figure.before for figure in compared}
    figures = [
        LoadMetric(name=figure.name, value=figure.value, unit=figure.unit, baseline=before.get(figure.name))
        for figure in summary.figures
    ]
    thresholds = [
        LoadMetric(name=each.metric, value=each.value, threshold=each.expression, held=each.held)
        for each in summary.thresholds
        if each.value is not None
    ]
    variant = f" [{summary.variant}]" if summary.variant else ""
    return LoadReport(
        test=f"{summary.test}{variant}",
        metrics=(*figures, *thresholds),
        series=tuple(each for each in _series(summary) if each.points),
    )


def _series(summary: LoadSummary) -> tuple[LoadSeries, ...]:
    points = summary.points

    def line(name: str, unit: str, values: list[tuple[float, float | None]]) -> LoadSeries:
        kept = tuple(LoadPoint(seconds=at, value=value) for at, value in values if value is not None)
        return LoadSeries(name=name, unit=unit, points=kept)

    return (
        line("throughput", "1/s", [(each.at_seconds, each.throughput) for each in points]),
        line("latency p50", "ms", [(each.at_seconds, each.p50) for each in points]),
        line("latency p95", "ms", [(each.at_seconds, each.p95) for each in points]),
        line("errors", "", [(each.at_seconds, float(each.errors)) for each in points]),
    )
