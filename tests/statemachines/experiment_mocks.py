"""What mocked tasks of chaos/experiment answer in each case, in the format of AWS Step Functions Local."""

from typing import Any

MACHINE = "experiment"
RUN_ID = "exp-" + "a" * 26

Answers = dict[str, dict[str, Any]]

_TICKET = {
    "runId": RUN_ID,
    "workId": "monitor-00000",
    "kind": "monitor",
    "team": "demo",
    "suite": "slow-payments",
    "test": "monitor",
    "priority": "P0",
    "stage": 0,
    "concurrency": 1,
    "infrastructureRetries": 0,
    "queueSeconds": 120,
    "order": {"key": f"chaos/{RUN_ID}/order.json", "offset": 0, "length": 10},
}


def ticket(awaits: int | None) -> dict[str, Any]:
    """The monitor's ticket."""
    return _TICKET if awaits is None else {**_TICKET, "awaits": awaits}


def announced(number: int, name: str) -> dict[str, Any]:
    """What a token is answered with by an announcement."""
    told = {"number": number, "name": name, "at": "2026-11-22T08:00:00.000Z"}
    return _answer("announced") | {"announcement": told}


def ended(outcome: str) -> dict[str, Any]:
    """What a token is answered with by the monitor's end."""
    return _answer(outcome)


def _answer(outcome: str) -> dict[str, Any]:
    return {"runId": RUN_ID, "workId": "monitor-00000", "outcome": outcome, "attempt": 1, "epoch": 1}


def _lambdas(*payloads: Any) -> dict[str, Any]:
    return {str(number): {"Return": {"Payload": payload}} for number, payload in enumerate(payloads)}


def _waits(*answers: Any) -> dict[str, Any]:
    return {str(number): {"Return": answer} for number, answer in enumerate(answers)}


def _throws() -> dict[str, Any]:
    return {"0-9": {"Throw": {"Error": "Lambda.Unknown", "Cause": "mocked"}}}


def _proceed(step: int, awaits: int | None) -> dict[str, Any]:
    return {"next": "proceed", "step": step, "ticket": ticket(awaits)}


_RECOVER = {"next": "recover", "step": 0, "reason": "mocked"}
_RECORDS = {
    f"Record{state}Failure": _lambdas({"runId": RUN_ID})
    for state in ("PreFlight", "Start", "Inject", "Watch", "Close", "Recover", "Finish", "Analyze")
}
_HAPPY: Answers = {
    "PreFlightCheck": _lambdas(_proceed(1, 1)),
    "StartMonitor": _waits(announced(1, "live")),
    "InjectStep": _lambdas(_proceed(1, 2)),
    "WatchStep": _waits(announced(2, "step-over")),
    "CloseStep": _lambdas({"next": "finish", "step": 0}),
    "Recover": _lambdas(_proceed(0, None)),
    "FinishMonitor": _waits(ended("completed")),
    "Analyze": _lambdas({"verdict": "held", "reason": "mocked"}),
    **_RECORDS,
}
FAILING = {
    "PreFlightCheck": "RecordPreFlightFailure",
    "StartMonitor": "RecordStartFailure",
    "InjectStep": "RecordInjectFailure",
    "WatchStep": "RecordWatchFailure",
    "CloseStep": "RecordCloseFailure",
    "Recover": "RecordRecoverFailure",
    "FinishMonitor": "RecordFinishFailure",
    "Analyze": "RecordAnalyzeFailure",
}

CASES: dict[str, Answers] = {
    "happy": _HAPPY,
    "two-steps": {
        **_HAPPY,
        "InjectStep": _lambdas(_proceed(1, 2), _proceed(2, 3)),
        "WatchStep": _waits(announced(2, "step-over"), announced(3, "step-over")),
        "CloseStep": _lambdas({"next": "proceed", "step": 2}, {"next": "finish", "step": 0}),
    },
    "blocked": {**_HAPPY, "PreFlightCheck": _lambdas({"next": "blocked", "step": 0})},
    "refused": {**_HAPPY, "PreFlightCheck": _lambdas(_RECOVER), "Recover": _lambdas({"next": "proceed"})},
    "unsteady": {
        **_HAPPY,
        "StartMonitor": _waits(announced(1, "unsteady")),
        "CloseStep": _lambdas(_RECOVER),
    },
    "unwatched": {**_HAPPY, "StartMonitor": _waits(ended("error")), "CloseStep": _lambdas(_RECOVER)},
    "not-injected": {**_HAPPY, "InjectStep": _lambdas(_RECOVER)},
    "breach": {**_HAPPY, "WatchStep": _waits(announced(2, "breach")), "CloseStep": _lambdas(_RECOVER)},
    "unverified": {**_HAPPY, "Recover": _lambdas({"next": "unverified", "step": 0})},
    "recording-fails": {**_HAPPY, "InjectStep": _throws(), "RecordInjectFailure": _throws()},
} | {f"{state}-fails": {**_HAPPY, state: _throws()} for state in FAILING}
