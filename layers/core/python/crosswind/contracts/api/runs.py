"""Routes of runs, plans and the queue."""

from crosswind.contracts.api.routing import CURSOR, TEAM, Method, Query, Route
from crosswind.contracts.archives import ArchiveView
from crosswind.contracts.explaining import WhyView
from crosswind.contracts.live import WatchRequest, WatchView
from crosswind.contracts.plans import CreatePlanRequest, PlanAccepted, PlanView
from crosswind.contracts.pods import PodList
from crosswind.contracts.queueing import PutTeamQueueRequest, QueueView, TeamQueueView
from crosswind.contracts.requests import (
    ArtifactPage,
    CasePage,
    LogChunk,
    RerunAccepted,
    RerunRequest,
    RunAccepted,
    RunPage,
    RunReportLink,
    RunView,
    SubmitRunRequest,
)
from crosswind.contracts.work import FileClass

_FILES = (
    Query("workId", "Only files of this shard."),
    Query("class", "Only files of this class.", enum=tuple(FileClass)),
    Query("failed", "true: only files of tests that failed.", "boolean"),
    Query("case", "Only files of the test with this id, or with this text in its name."),
)

ROUTES: tuple[Route, ...] = (
    Route(
        method=Method.POST,
        path="/api/v1/tests",
        area="runs",
        function="submit_run",
        status=202,
        summary="Submit a run of a suite, given whole or by name.",
        request=SubmitRunRequest,
        answer=RunAccepted,
        headers=(
            Query(
                "Idempotency-Key", "Repeat a request safely: the same key gives the same run for 24 hours."
            ),
        ),
    ),
    Route(
        method=Method.POST,
        path="/api/v1/plans",
        area="runs",
        function="create_plan",
        status=202,
        summary="Plan a run without running it: what so many shards would take and cost.",
        request=CreatePlanRequest,
        answer=PlanAccepted,
        headers=(
            Query(
                "Idempotency-Key", "Repeat a request safely: the same key gives the same plan for 24 hours."
            ),
        ),
    ),
    Route(
        method=Method.GET,
        path="/api/v1/plans/{id}",
        area="runs",
        function="get_plan",
        summary="The plan, its curve, what reaches the goal, and when the run would start.",
        answer=PlanView,
    ),
    Route(
        method=Method.GET,
        path="/api/v1/tests",
        area="runs",
        function="list_runs",
        summary="List runs, newest first.",
        answer=RunPage,
        query=(
            TEAM,
            Query("suite", "Only runs of this suite."),
            Query("state", "Only runs in this state."),
            Query("verdict", "Only runs with this verdict."),
            *CURSOR,
        ),
    ),
    Route(
        method=Method.GET,
        path="/api/v1/tests/{id}",
        area="runs",
        function="get_run",
        summary="State, stage, counts, verdict and why.",
        answer=RunView,
        query=(Query("detail", "true: also each shard.", "boolean"),),
    ),
    Route(
        method=Method.DELETE,
        path="/api/v1/tests/{id}",
        area="runs",
        function="cancel_run",
        status=202,
        summary="Cancel: stops what runs, frees what waits. Repeating it is no error.",
        answer=RunView,
    ),
    Route(
        method=Method.GET,
        path="/api/v1/tests/{id}/pods",
        area="runs",
        function="list_pods",
        summary="Where a run's pods went and why, and how each ended.",
        answer=PodList,
        query=(Query("workId", "Only pods of this shard."),),
    ),
    Route(
        method=Method.POST,
        path="/api/v1/tests/{id}/reruns",
        area="runs",
        function="rerun_run",
        status=202,
        summary="Run the failed tests of a finished run again, as a further round of the same run.",
        request=RerunRequest,
        answer=RerunAccepted,
    ),
    Route(
        method=Method.GET,
        path="/api/v1/tests/{id}/why",
        area="runs",
        function="why_run",
        summary="Why it waits, is red, or passed: sentences, and the facts behind them.",
        answer=WhyView,
    ),
    Route(
        method=Method.POST,
        path="/api/v1/tests/{id}/pause",
        area="runs",
        function="pause_run",
        summary="Admit nothing more of a run. What runs, runs on, and its timeout goes on. Repeating it is no error.",
        answer=RunView,
    ),
    Route(
        method=Method.POST,
        path="/api/v1/tests/{id}/resume",
        area="runs",
        function="resume_run",
        summary="Let a paused run go on. Repeating it is no error.",
        answer=RunView,
    ),
    Route(
        method=Method.GET,
        path="/api/v1/queue",
        area="runs",
        function="get_queue",
        summary="The queue as a team sees it: what waits and why, what runs, its quota and share.",
        answer=QueueView,
        query=(TEAM,),
    ),
    Route(
        method=Method.GET,
        path="/api/v1/teams/{team}/queue",
        area="runs",
        function="get_team_queue",
        summary="A team's part of the capacity.",
        answer=TeamQueueView,
    ),
    Route(
        method=Method.PUT,
        path="/api/v1/teams/{team}/queue",
        area="runs",
        function="put_team_queue",
        summary="Set a team's weight, quota and limits (admins), or pause it (editors).",
        request=PutTeamQueueRequest,
        answer=TeamQueueView,
    ),
    Route(
        method=Method.GET,
        path="/api/v1/tests/{id}/results",
        area="runs",
        function="list_results",
        summary="Test cases, failed first.",
        answer=CasePage,
        query=(Query("status", "Only cases with this status."), *CURSOR),
    ),
    Route(
        method=Method.GET,
        path="/api/v1/tests/{id}/artifacts",
        area="runs",
        function="list_artifacts",
        summary="Uploaded files with links.",
        answer=ArtifactPage,
        query=(
            *_FILES,
            Query("pages", "true: links to HTML open it; otherwise they have it saved.", "boolean"),
            *CURSOR,
        ),
    ),
    Route(
        method=Method.GET,
        path="/api/v1/tests/{id}/artifacts/archive",
        area="runs",
        function="get_archive",
        summary="Uploaded files as one zip: 202 while it is built, then 200 with a link.",
        answer=ArchiveView,
        query=_FILES,
    ),
    Route(
        method=Method.GET,
        path="/api/v1/tests/{id}/report",
        area="runs",
        function="get_run_report",
        summary="Write the run's report and answer with a link to it.",
        answer=RunReportLink,
        query=(Query("format", "html, junit, ctrf, json or markdown; html unless told."),),
    ),
    Route(
        method=Method.GET,
        path="/api/v1/tests/{id}/logs",
        area="runs",
        function="read_logs",
        summary="One shard's log or events from an offset.",
        answer=LogChunk,
        query=(
            Query("workId", "The shard or preparation, such as shard-00003."),
            Query("offset", "Byte offset to read from; 0 unless told.", "integer"),
            Query("stream", "log, or events: a JSON line each; log unless told.", enum=("log", "events")),
            Query("attempt", "An attempt that is named, such as 01-001; the present one unless told."),
        ),
    ),
    Route(
        method=Method.POST,
        path="/api/v1/tests/{id}/watch",
        area="runs",
        function="watch_live",
        summary="Watch a run for a while: its runners ship what is new every 2 s. Repeat it to go on watching.",
        request=WatchRequest,
        answer=WatchView,
    ),
)
