"""Each branch of runs/test-run, driven on the emulator: which states are entered, and what functions are told."""

import io
import json
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from crosswind.contracts.suites import Priority
from crosswind.contracts.tasks import IngestShardTask, RecordFailureTask, RunExecutionInput, RunTask
from crosswind.contracts.work import AdmissionMessage, OrderRef, Ticket, WorkAnswer, WorkKind, WorkOutcome
from tests.statemachines import definition as asl
from tests.statemachines import mocks
from tests.statemachines.conftest import Emulator

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("statemachines")]

_SECONDS = 60
_MAIN = [
    "PrepareRun",
    "PlanRun",
    "ChooseStage",
    "ExecuteShards",
    "CloseStage",
    "ChooseStage",
    "FoldResults",
    "JudgeRun",
]
_PUBLISHED = [*_MAIN, "PublishRun"]
_RECORDER = '''
import json, os

def handler(event, context):
    """Keeps what it was told; fails the first time it is asked to be flaky; answers what it was told to."""
    with open(os.environ["TOLD"], "a", encoding="utf-8") as told:
        told.write(json.dumps(event) + "\\n")
    with open(os.environ["TOLD"], encoding="utf-8") as told:
        if len(told.readlines()) <= int(os.environ["FAILURES"]):
            raise RuntimeError("not yet")
    return json.loads(os.environ["ANSWER"]) if os.environ["ANSWER"] else event
'''


@dataclass(frozen=True)
class Machine:
    """The deployed definition with recording functions behind its placeholders."""

    emulator: Emulator
    arn: str
    queue_url: str

    def run(self, case: str) -> "Execution":
        """Start an execution of a case."""
        preparation = _ticket("prepare-00000", WorkKind.PREPARE)
        payload = RunExecutionInput(run_id=mocks.RUN_ID, preparations=(preparation,))
        states = self.emulator.client("stepfunctions")
        arn = f"{self.arn}#{case}"
        started = states.start_execution(stateMachineArn=arn, input=payload.to_wire())
        return Execution(states, started["executionArn"])

    def told(self, function: str) -> list[dict[str, Any]]:
        """Take what a recording function was told."""
        path = self.emulator.folder / f"{function}.told"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return [json.loads(line) for line in lines]


@dataclass(frozen=True)
class Execution:
    """A started execution."""

    states: Any
    arn: str

    def ended(self) -> str:
        """Wait for the end; returns the status."""
        until = time.monotonic() + _SECONDS
        while time.monotonic() < until:
            status: str = self.states.describe_execution(executionArn=self.arn)["status"]
            if status != "RUNNING":
                return status
            time.sleep(0.05)
        raise AssertionError(f"{self.arn} did not end within {_SECONDS} s")

    def path(self) -> list[str]:
        """States that were entered, in order; the emulator does not tell of those inside maps."""
        details = [event.get("stateEnteredEventDetails") for event in self._history()]
        return [each["name"] for each in details if each]

    def attempts_failed(self) -> int:
        """Failed tries of any task."""
        return sum(event["type"] == "TaskFailed" for event in self._history())

    def children(self) -> list[dict[str, Any]]:
        """Executions of the shards."""
        runs = self.states.list_map_runs(executionArn=self.arn)["mapRuns"]
        listed = [
            child
            for run in runs
            for child in self.states.list_executions(mapRunArn=run["mapRunArn"])["executions"]
        ]
        return [self.states.describe_execution(executionArn=child["executionArn"]) for child in listed]

    def _history(self) -> list[dict[str, Any]]:
        pages = self.states.get_paginator("get_execution_history").paginate(executionArn=self.arn)
        return [event for page in pages for event in page["events"]]


@pytest.fixture(scope="session")
def machine(emulator: Emulator) -> Machine:
    """The machine, its tickets, its queue and its functions."""
    s3, sqs = emulator.client("s3"), emulator.client("sqs")
    s3.create_bucket(Bucket=mocks.BUCKET)
    for stage, key in mocks.TICKETS.items():
        lines = [_ticket(f"shard-{stage}000{number}", WorkKind.SHARD).to_wire() for number in range(2)]
        s3.put_object(Bucket=mocks.BUCKET, Key=key, Body="\n".join(lines).encode())
    queue_url = sqs.create_queue(QueueName="admission")["QueueUrl"]
    values = {"AdmissionQueueUrl": queue_url}
    for name in asl.placeholders(asl.load(asl.TEST_RUN)) - set(values):
        values[name] = _recorder(emulator, name.removesuffix("FunctionArn"))
    text = asl.PLACEHOLDER.sub(lambda match: values[match[1]], asl.TEST_RUN.read_text(encoding="utf-8"))
    states = emulator.client("stepfunctions")
    role = "arn:aws:iam::000000000000:role/unused"
    made = states.create_state_machine(name=mocks.MACHINE, definition=text, roleArn=role)
    return Machine(emulator=emulator, arn=made["stateMachineArn"], queue_url=queue_url)


def _recorder(emulator: Emulator, name: str) -> str:
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("recorder.py", _RECORDER)
    variables = {
        "TOLD": str(emulator.folder / f"{name}.told"),
        "FAILURES": "2" if name == "PlanRun" else "0",
        "ANSWER": json.dumps(mocks.proceed(0)) if name == "PlanRun" else "",
    }
    made = emulator.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role="arn:aws:iam::000000000000:role/unused",
        Handler="recorder.handler",
        Code={"ZipFile": package.getvalue()},
        Environment={"Variables": variables},
        Timeout=30,
    )
    arn: str = made["FunctionArn"]
    return arn


def _ticket(work_id: str, kind: WorkKind) -> Ticket:
    return Ticket(
        run_id=mocks.RUN_ID,
        work_id=work_id,
        kind=kind,
        team="demo",
        suite="shop",
        test="unit",
        priority=Priority.P1,
        stage=0,
        concurrency=10,
        infrastructure_retries=3,
        queue_seconds=3600,
        order=OrderRef(key=f"runs/{mocks.RUN_ID}/orders.jsonl", offset=0, length=10),
    )


def test_a_run_goes_from_preparation_to_publication(machine: Machine) -> None:
    run = machine.run("happy")
    assert run.ended() == "SUCCEEDED"
    assert run.path() == _PUBLISHED
    children = run.children()
    assert [child["status"] for child in children] == ["SUCCEEDED"] * 2
    outputs = [json.loads(child["output"]) for child in children]
    assert [output["ingested"]["summary"] for output in outputs] == [{"tests": 2, "failed": 0}] * 2


def test_a_second_stage_runs_after_the_first(machine: Machine) -> None:
    run = machine.run("two-stages")
    assert run.ended() == "SUCCEEDED"
    loop = ["ChooseStage", "ExecuteShards", "CloseStage"]
    assert run.path() == [
        "PrepareRun",
        "PlanRun",
        *loop,
        *loop,
        "ChooseStage",
        "FoldResults",
        "JudgeRun",
        "PublishRun",
    ]
    works = [json.loads(child["input"])["ticket"]["workId"] for child in run.children()]
    assert sorted(works) == ["shard-00000", "shard-00001", "shard-10000", "shard-10001"]


def test_the_next_stage_waits_until_the_experiment_beside_the_last_one_is_over(machine: Machine) -> None:
    run = machine.run("waits-for-experiment")
    assert run.ended() == "SUCCEEDED"
    waiting = ["ChooseStage", "AwaitExperiment", "CloseStage"]
    stage = ["ChooseStage", "ExecuteShards", "CloseStage"]
    assert run.path() == [
        "PrepareRun",
        "PlanRun",
        *stage,
        *waiting,
        *waiting,
        *stage,
        "ChooseStage",
        "FoldResults",
        "JudgeRun",
        "PublishRun",
    ]


def test_a_stage_that_stops_the_run_leads_to_judgement(machine: Machine) -> None:
    run = machine.run("stopped-stage")
    assert run.ended() == "SUCCEEDED"
    assert run.path() == _PUBLISHED


def test_a_plan_without_shards_goes_to_judgement_at_once(machine: Machine) -> None:
    run = machine.run("plan-stops")
    assert run.ended() == "SUCCEEDED"
    assert run.path() == ["PrepareRun", "PlanRun", "ChooseStage", "FoldResults", "JudgeRun", "PublishRun"]
    assert run.children() == []


def test_a_run_that_is_only_planned_is_closed_without_judgement(machine: Machine) -> None:
    run = machine.run("only-planned")
    assert run.ended() == "SUCCEEDED"
    assert run.path() == ["PrepareRun", "PlanRun", "ChooseStage", "PublishRun"]


def test_a_task_that_fails_twice_is_tried_again(machine: Machine) -> None:
    machine.told("PlanRun")
    run = machine.run("retried")
    assert run.ended() == "SUCCEEDED"
    assert run.path() == _PUBLISHED
    assert run.attempts_failed() == 2
    told = machine.told("PlanRun")
    assert [RunTask.model_validate(each).run_id for each in told] == [mocks.RUN_ID] * 3


def test_a_failed_preparation_leaves_the_judgement_to_the_plan(machine: Machine) -> None:
    run = machine.run("RunPreparation-fails")
    assert run.ended() == "SUCCEEDED"
    assert run.path() == _PUBLISHED


@pytest.mark.parametrize(
    ("case", "origin", "path"),
    [
        (
            "PlanRun-fails",
            "PlanRun",
            ["PrepareRun", "PlanRun", "RecordPlanFailure", "FoldResults", "JudgeRun", "PublishRun"],
        ),
        (
            "tickets-missing",
            "ExecuteShards",
            [*_MAIN[:4], "RecordShardsFailure", "FoldResults", "JudgeRun", "PublishRun"],
        ),
        (
            "CloseStage-fails",
            "CloseStage",
            [*_MAIN[:5], "RecordCloseFailure", "FoldResults", "JudgeRun", "PublishRun"],
        ),
        ("FoldResults-fails", "FoldResults", [*_MAIN[:7], "RecordFoldFailure", "JudgeRun", "PublishRun"]),
        ("timed-out", "FoldResults", [*_MAIN[:7], "RecordFoldFailure", "JudgeRun", "PublishRun"]),
        ("JudgeRun-fails", "JudgeRun", [*_MAIN, "RecordJudgeFailure", "PublishRun"]),
    ],
)
def test_a_state_that_gives_up_is_recorded_and_the_run_goes_on(
    machine: Machine, case: str, origin: str, path: list[str]
) -> None:
    machine.told("RecordFailure")
    run = machine.run(case)
    assert run.ended() == "SUCCEEDED"
    assert run.path() == path
    (told,) = machine.told("RecordFailure")
    task = RecordFailureTask.model_validate(told)
    assert (task.run_id, task.state, task.ticket) == (mocks.RUN_ID, origin, None)
    assert task.failure.error


def test_a_failure_that_cannot_be_recorded_does_not_stop_the_run(machine: Machine) -> None:
    run = machine.run("recording-fails")
    assert run.ended() == "SUCCEEDED"
    assert run.path() == [*_MAIN, "RecordJudgeFailure", "PublishRun"]


def test_a_run_that_cannot_be_published_fails_its_execution_for_recovery(machine: Machine) -> None:
    run = machine.run("PublishRun-fails")
    assert run.ended() == "FAILED"
    assert run.path() == [*_PUBLISHED, "RecordPublishFailure", "LeaveUnpublished"]
    assert run.states.describe_execution(executionArn=run.arn)["error"] == "RunUnpublished"


@pytest.mark.parametrize("state", ["RunShard", "IngestShard"])
def test_a_failed_shard_is_recorded_with_its_ticket_and_the_run_goes_on(machine: Machine, state: str) -> None:
    machine.told("RecordFailure")
    run = machine.run(f"{state}-fails")
    assert run.ended() == "SUCCEEDED"
    assert run.path() == _PUBLISHED
    told = [RecordFailureTask.model_validate(each) for each in machine.told("RecordFailure")]
    assert {task.state for task in told} == {state}
    assert sorted(task.ticket.work_id for task in told if task.ticket) == ["shard-00000", "shard-00001"]


def test_work_waits_on_one_message_and_a_shards_answer_reaches_ingestion(machine: Machine) -> None:
    machine.told("IngestShard")
    run = machine.run("real-tokens")
    sqs = machine.emulator.client("sqs")
    answered: list[str] = []
    while len(answered) < 3:
        received = sqs.receive_message(QueueUrl=machine.queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=10)
        for raw in received.get("Messages", []):
            message = AdmissionMessage.model_validate_json(raw["Body"])
            assert message.ticket is not None
            answer = WorkAnswer(
                run_id=message.ticket.run_id,
                work_id=message.ticket.work_id,
                outcome=WorkOutcome.COMPLETED,
                attempt=1,
                epoch=1,
            )
            run.states.send_task_success(taskToken=message.token, output=answer.to_wire())
            sqs.delete_message(QueueUrl=machine.queue_url, ReceiptHandle=raw["ReceiptHandle"])
            answered.append(message.ticket.work_id)
    assert run.ended() == "SUCCEEDED"
    assert sorted(answered) == ["prepare-00000", "shard-00000", "shard-00001"]
    told = [IngestShardTask.model_validate(each) for each in machine.told("IngestShard")]
    assert sorted(task.work_id for task in told) == sorted(answered)[1:]
    assert all(task.answer.work_id == task.work_id for task in told)


def test_the_mocked_cases_name_states_that_exist() -> None:
    names = {name for name, _ in asl.states(asl.load(Path(asl.TEST_RUN)))}
    assert {state for answers in mocks.CASES.values() for state in answers} <= names
