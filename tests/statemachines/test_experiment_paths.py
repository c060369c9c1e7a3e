"""Each branch of chaos/experiment, driven on the emulator: which states are entered, and that Recover is on every path."""

import time
from dataclasses import dataclass
from typing import Any

import pytest

from crosswind.contracts.chaos.tasks import EngineAnswer, ExperimentInput
from crosswind.contracts.work import WorkAnswer
from tests.statemachines import definition as asl
from tests.statemachines import experiment_mocks as mocks
from tests.statemachines.conftest import Emulator

_ON_EMULATOR = pytest.mark.xdist_group("statemachines")
_SECONDS = 60
_BEGIN = ["PreFlightCheck", "ChoosePreFlight", "StartMonitor", "ChooseMonitor"]
_STEP = ["InjectStep", "ChooseInjected", "WatchStep", "CloseStep", "ChooseClosed"]
_END = ["Recover", "ChooseRecovered", "FinishMonitor", "Analyze"]
_MOVES_ON = {"InjectStep", "WatchStep", "CloseStep"}


@dataclass(frozen=True)
class Machine:
    """The definition, deployed with mocked tasks."""

    states: Any
    arn: str

    def run(self, case: str) -> tuple[str, list[str]]:
        """The status that a case ends with, and the states that it entered."""
        payload = ExperimentInput(run_id=mocks.RUN_ID).to_wire()
        arn = self.states.start_execution(stateMachineArn=f"{self.arn}#{case}", input=payload)["executionArn"]
        until = time.monotonic() + _SECONDS
        while (status := self.states.describe_execution(executionArn=arn)["status"]) == "RUNNING":
            assert time.monotonic() < until, f"{case} did not end within {_SECONDS} s"
            time.sleep(0.05)
        pages = self.states.get_paginator("get_execution_history").paginate(executionArn=arn)
        events = [event for page in pages for event in page["events"]]
        return status, [
            each["stateEnteredEventDetails"]["name"] for each in events if "stateEnteredEventDetails" in each
        ]


@pytest.fixture(scope="session")
def machine(emulator: Emulator) -> Machine:
    """Deployed once."""
    text = asl.PLACEHOLDER.sub(
        lambda match: f"arn:aws:lambda:us-east-1:000000000000:function:{match[1]}",
        asl.EXPERIMENT.read_text(encoding="utf-8"),
    )
    states = emulator.client("stepfunctions")
    role = "arn:aws:iam::000000000000:role/unused"
    made = states.create_state_machine(name=mocks.MACHINE, definition=text, roleArn=role)
    return Machine(states, made["stateMachineArn"])


@pytest.mark.e2e
@_ON_EMULATOR
@pytest.mark.parametrize(
    ("case", "path"),
    [
        ("happy", [*_BEGIN, *_STEP, *_END]),
        ("two-steps", [*_BEGIN, *_STEP, *_STEP, *_END]),
        ("blocked", ["PreFlightCheck", "ChoosePreFlight", "LeaveBlocked"]),
        ("refused", ["PreFlightCheck", "ChoosePreFlight", "Recover", "ChooseRecovered", "Analyze"]),
        ("unsteady", [*_BEGIN, "CloseStep", "ChooseClosed", *_END]),
        ("unwatched", [*_BEGIN, "CloseStep", "ChooseClosed", *_END]),
        ("not-injected", [*_BEGIN, "InjectStep", "ChooseInjected", *_END]),
        ("breach", [*_BEGIN, *_STEP, *_END]),
        ("unverified", [*_BEGIN, *_STEP, "Recover", "ChooseRecovered", "LeaveToReaper"]),
        ("recording-fails", [*_BEGIN, "InjectStep", "RecordInjectFailure", *_END]),
        ("PreFlightCheck-fails", ["PreFlightCheck", "RecordPreFlightFailure", *_END]),
        ("StartMonitor-fails", [*_BEGIN[:3], "RecordStartFailure", *_END]),
        ("InjectStep-fails", [*_BEGIN, "InjectStep", "RecordInjectFailure", *_END]),
        ("WatchStep-fails", [*_BEGIN, *_STEP[:3], "RecordWatchFailure", *_END]),
        ("CloseStep-fails", [*_BEGIN, *_STEP[:4], "RecordCloseFailure", *_END]),
        ("Recover-fails", [*_BEGIN, *_STEP, "Recover", "RecordRecoverFailure", "LeaveToReaper"]),
        ("FinishMonitor-fails", [*_BEGIN, *_STEP, *_END[:3], "RecordFinishFailure", "Analyze"]),
        ("Analyze-fails", [*_BEGIN, *_STEP, *_END, "RecordAnalyzeFailure", "LeaveToReaper"]),
    ],
)
def test_a_case_goes_its_way(machine: Machine, case: str, path: list[str]) -> None:
    status, entered = machine.run(case)
    assert entered == path
    assert status == "SUCCEEDED"


def test_whatever_may_have_been_injected_reaches_recover_or_the_reaper() -> None:
    states = asl.load(asl.EXPERIMENT)["States"]
    for start in _MOVES_ON:
        ends, waiting, seen = set(), [start], set()
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            if name == "Recover":
                continue
            following = asl.targets(states[name])
            ends |= set() if following else {name}
            waiting.extend(following)
        assert "Recover" in seen
        assert not ends, f"from {start} the machine ends at {ends} without Recover"


def test_mocks_are_what_functions_and_runners_answer() -> None:
    names = {name for name, _ in asl.states(asl.load(asl.EXPERIMENT))}
    for answers in mocks.CASES.values():
        assert set(answers) <= names
        for state, by_attempt in answers.items():
            for answer in by_attempt.values():
                returned = answer.get("Return")
                if returned is None or state.startswith("Record") or state == "Analyze":
                    continue
                if "Payload" in returned:
                    EngineAnswer.model_validate(returned["Payload"])
                else:
                    WorkAnswer.model_validate(returned)
