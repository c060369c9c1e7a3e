"""The report of a run, in every form: `render(report, form)`."""

from crosswind.runs.reporting.model import Format, RunReport


def render(report: RunReport, form: Format | str) -> bytes:
    """A report as UTF-8. Each writer is loaded only when it is wanted."""
    match Format(form):
        case Format.HTML:
            from crosswind.runs.reporting import html  # noqa: PLC0415

            return html.render(report)
        case Format.JUNIT:
            from crosswind.runs.reporting import junit  # noqa: PLC0415

            return junit.render(report)
        case Format.CTRF:
            from crosswind.runs.reporting import ctrf  # noqa: PLC0415

            return ctrf.render(report)
        case Format.MARKDOWN:
            from crosswind.runs.reporting import markdown  # noqa: PLC0415

            return markdown.render(report)
        case Format.JSON:
            return report.to_wire().encode()


__all__ = ["Format", "RunReport", "render"]
