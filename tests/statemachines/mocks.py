"""What mocked tasks answer in each case, in the format of AWS Step Functions Local (state → answers by attempt)."""

from typing import Any

from tests.statemachines import experiment_mocks

MACHINE = "test-run"
BUCKET = "artifacts"
RUN_ID = "run-" + "a" * 26
TICKETS = {0: f"runs/{RUN_ID}/stages/00/tickets.jsonl", 1: f"runs/{RUN_ID}/stages/01/tickets.jsonl"}
MISSING = f"runs/{RUN_ID}/stages/09/tickets.jsonl"

Answers = dict[str, dict[str, Any]]


def work_answer(work_id: str) -> dict[str, Any]:
    """What a runner answers a token with."""
    return {"runId": RUN_ID, "workId": work_id, "outcome": "completed", "attempt": 1, "epoch": 1}


def proceed(stage: int, key: str | None = None) -> dict[str, Any]:
    """PlanRunAnswer that names the next stage."""
    following = {"stage": stage, "shardsBucket": BUCKET, "shardsKey": key or TICKETS[stage]}
    return {"outcome": "proceed", "next": following}


def _returns(*payloads: Any) -> dict[str, Any]:
    return {str(attempt): {"Return": {"Payload": payload}} for attempt, payload in enumerate(payloads)}


def _throws(error: str = "Lambda.Unknown") -> dict[str, Any]:
    return {"0-9": {"Throw": {"Error": error, "Cause": "mocked"}}}


def waiting(stage: int) -> dict[str, Any]:
    """PlanRunAnswer of a stage that has ended before the experiment beside it."""
    return {**proceed(stage), "outcome": "waiting"}


_STOP = {"outcome": "stop", "reason": "nothing more to run"}
_PLAIN: Answers = {
    "RunPreparation": {"0-9": {"Return": work_answer("prepare-00000")}},
    "PlanRun": _returns(proceed(0)),
    "RunShard": {"0-9": {"Return": work_answer("shard-00000")}},
    "IngestShard": {"0-9": {"Return": {"Payload": {"tests": 2, "failed": 0}}}},
    "CloseStage": _returns(_STOP),
    "FoldResults": _returns({"tests": 4, "pages": 1}),
    "JudgeRun": _returns({"verdict": "passed", "reason": "All 4 tests passed."}),
    "PublishRun": _returns({}),
}
FAILING = (
    "RunPreparation",
    "PlanRun",
    "RunShard",
    "IngestShard",
    "CloseStage",
    "FoldResults",
    "JudgeRun",
    "PublishRun",
)

CASES: dict[str, Answers] = {
    "happy": _PLAIN,
    "two-stages": {**_PLAIN, "CloseStage": _returns(proceed(1), _STOP)},
    "stopped-stage": {
        **_PLAIN,
        "CloseStage": _returns({"outcome": "stop", "reason": "stage 0 has failures"}),
    },
    "waits-for-experiment": {**_PLAIN, "CloseStage": _returns(waiting(0), waiting(0), proceed(1), _STOP)},
    "plan-stops": {**_PLAIN, "PlanRun": _returns(_STOP)},
    "only-planned": {**_PLAIN, "PlanRun": _returns({"outcome": "planned"})},
    "tickets-missing": {**_PLAIN, "PlanRun": _returns(proceed(0, MISSING))},
    "recording-fails": {**_PLAIN, "JudgeRun": _throws(), "RecordJudgeFailure": _throws()},
    "timed-out": {**_PLAIN, "FoldResults": _throws("States.Timeout")},
    "retried": {name: answers for name, answers in _PLAIN.items() if name != "PlanRun"},
    "real-tokens": {
        name: answers
        for name, answers in _PLAIN.items()
        if name not in {"RunPreparation", "RunShard", "IngestShard"}
    },
} | {f"{state}-fails": {**_PLAIN, state: _throws()} for state in FAILING}


def config() -> dict[str, Any]:
    """The file that the emulator reads."""
    machines: dict[str, Any] = {}
    responses: Answers = {}
    for machine, cases in ((MACHINE, CASES), (experiment_mocks.MACHINE, experiment_mocks.CASES)):
        named: dict[str, dict[str, str]] = {}
        for case, answers in cases.items():
            named[case] = {state: f"{machine}:{case}:{state}" for state in answers}
            responses |= {f"{machine}:{case}:{state}": answer for state, answer in answers.items()}
        machines[machine] = {"TestCases": named}
    return {"StateMachines": machines, "MockedResponses": responses}
