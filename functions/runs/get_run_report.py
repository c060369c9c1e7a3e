"""GET /api/v1/tests/{id}/report."""

from crosswind.bootstrap import api
from crosswind.contracts.requests import ReportFormat, RunReportLink
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("get_run_report")
def handler(call: ApiCall) -> RunReportLink:
    """Write a run's report."""
    form = call.choice("format", ReportFormat) or ReportFormat.HTML
    return api.get_run_report()(call.path["id"], form=form, actor=call.actor)
