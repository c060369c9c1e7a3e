"""POST /api/v1/schedule-previews."""

from crosswind.bootstrap import schedules
from crosswind.contracts.schedules import PreviewAnswer, Schedule
from crosswind.edge.api_handler import ApiCall, api_handler
from crosswind.runs.schedules.views import run_times


@api_handler("preview_schedule")
def handler(call: ApiCall) -> PreviewAnswer:
    """Check a schedule and tell its next runs."""
    document = call.request(Schedule)
    moments = schedules.preview_schedule()(document, actor=call.actor)
    return PreviewAnswer(next=run_times(moments, timezone=document.spec.timezone))
