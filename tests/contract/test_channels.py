"""Queues, TaskTokens, Executions, EventBus and Secrets: the fakes and AWS.

Moto neither keeps task tokens nor delivers events: a stubbed client and a queue behind a rule stand in for them.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from botocore.stub import Stubber

from crosswind.adapters.aws.event_bus import EventBridgeBus
from crosswind.adapters.aws.executions import SfnExecutions
from crosswind.adapters.aws.queues import SqsQueues
from crosswind.adapters.aws.secrets import SecretsManagerSecrets
from crosswind.adapters.aws.task_tokens import SfnTaskTokens
from crosswind.contracts.events import DomainEvent
from crosswind.contracts.tasks import RunExecutionInput
from crosswind.contracts.work import AdmissionMessage, DispatchMessage, WatchMessage, WorkAnswer, WorkOutcome
from crosswind.kernel.errors import NotFoundError
from crosswind.runs.ports import EventBus, Executions, ExecutionStatus, Queues, Secrets, TaskTokens
from tests.fakes import (
    MemoryEventBus,
    MemoryExecutions,
    MemoryQueues,
    MemorySecrets,
    MemoryTaskTokens,
    make_event,
    make_ticket,
)
from tests.fakes.samples import run_id
from tests.stores.embedded import client, make_queue

ANSWER = WorkAnswer(run_id=run_id(), work_id="shard-00000", outcome=WorkOutcome.COMPLETED, attempt=1, epoch=1)
INPUT = RunExecutionInput(run_id=run_id(), preparations=(make_ticket(),))


@dataclass(frozen=True)
class QueuesSubject:
    """Queues, and what arrived in each."""

    queues: Queues
    wakes: Callable[[], int]
    dispatched: Callable[[], list[DispatchMessage]]
    watched: Callable[[], list[str]]


class QueuesContract(ABC):
    @abstractmethod
    @pytest.fixture
    def subject(self) -> QueuesSubject: ...

    def test_a_wake_up_arrives(self, subject: QueuesSubject) -> None:
        subject.queues.wake_scheduler()

        assert subject.wakes() == 1

    def test_all_of_many_messages_are_dispatched(self, subject: QueuesSubject) -> None:
        messages = [
            DispatchMessage(run_id=run_id(), work_id=f"shard-{number:05d}", attempt=1) for number in range(23)
        ]

        subject.queues.dispatch(messages)

        assert sorted(subject.dispatched(), key=lambda message: message.work_id) == messages

    def test_dispatching_nothing_is_no_error(self, subject: QueuesSubject) -> None:
        subject.queues.dispatch([])

        assert subject.dispatched() == []

    def test_a_watch_is_armed(self, subject: QueuesSubject) -> None:
        subject.queues.watch(run_id(), delay=timedelta(0))

        assert subject.watched() == [run_id()]


class TestMemoryQueues(QueuesContract):
    @pytest.fixture
    def subject(self) -> QueuesSubject:
        queues = MemoryQueues()
        return QueuesSubject(
            queues=queues,
            wakes=lambda: queues.wakes,
            dispatched=lambda: queues.dispatched,
            watched=lambda: [watched for watched, _ in queues.watches],
        )


class TestSqsQueues(QueuesContract):
    @pytest.fixture
    def subject(self, sqs: Any) -> QueuesSubject:
        admission, executor, watch = (make_queue(sqs) for _ in range(3))
        queues = SqsQueues(
            client=sqs, admission_url=admission, executor_url=executor, launch_url=executor, watch_url=watch
        )

        def bodies(url: str) -> list[str]:
            found: list[str] = []
            while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
                found += [message["Body"] for message in messages]
            return found

        return QueuesSubject(
            queues=queues,
            wakes=lambda: [
                AdmissionMessage.model_validate_json(body).wake for body in bodies(admission)
            ].count(True),
            dispatched=lambda: [DispatchMessage.model_validate_json(body) for body in bodies(executor)],
            watched=lambda: [WatchMessage.model_validate_json(body).run_id for body in bodies(watch)],
        )


@dataclass(frozen=True)
class TokensSubject:
    """Task tokens, where `open` is waited for and `over` is not."""

    tokens: TaskTokens


class TaskTokensContract(ABC):
    @abstractmethod
    @pytest.fixture
    def open_token(self) -> TaskTokens: ...

    @abstractmethod
    @pytest.fixture
    def closed_token(self) -> TaskTokens: ...

    def test_an_open_token_takes_an_answer(self, open_token: TaskTokens) -> None:
        assert open_token.answer("token", ANSWER)

    def test_a_token_that_is_over_says_so(self, closed_token: TaskTokens) -> None:
        assert not closed_token.answer("token", ANSWER)


class TestMemoryTaskTokens(TaskTokensContract):
    @pytest.fixture
    def open_token(self) -> TaskTokens:
        return MemoryTaskTokens()

    @pytest.fixture
    def closed_token(self) -> TaskTokens:
        tokens = MemoryTaskTokens()
        tokens.close("token")
        return tokens


class TestSfnTaskTokens(TaskTokensContract):
    @pytest.fixture
    def open_token(self) -> TaskTokens:
        sfn = client("stepfunctions")
        stub = Stubber(sfn)
        stub.add_response("send_task_success", {}, {"taskToken": "token", "output": ANSWER.to_wire()})
        stub.activate()
        return SfnTaskTokens(client=sfn)

    @pytest.fixture(params=["TaskTimedOut", "InvalidToken", "TaskDoesNotExist"])
    def closed_token(self, request: pytest.FixtureRequest) -> TaskTokens:
        sfn = client("stepfunctions")
        stub = Stubber(sfn)
        stub.add_client_error("send_task_success", service_error_code=request.param, http_status_code=400)
        stub.activate()
        return SfnTaskTokens(client=sfn)


class ExecutionsContract(ABC):
    @abstractmethod
    @pytest.fixture
    def executions(self) -> Executions: ...

    def test_a_started_execution_runs(self, executions: Executions) -> None:
        executions.start("run-1", INPUT)

        assert executions.status("run-1") is ExecutionStatus.RUNNING

    def test_starting_again_is_no_error(self, executions: Executions) -> None:
        executions.start("run-1", INPUT)
        executions.start("run-1", INPUT)

        assert executions.status("run-1") is ExecutionStatus.RUNNING

    def test_an_execution_that_nobody_started_is_unknown(self, executions: Executions) -> None:
        assert executions.status("run-1") is ExecutionStatus.UNKNOWN

    def test_a_stopped_execution_has_ended_and_may_be_stopped_again(self, executions: Executions) -> None:
        executions.start("run-1", INPUT)

        executions.stop("run-1", cause="cancelled")
        executions.stop("run-1", cause="cancelled")

        assert executions.status("run-1") is ExecutionStatus.ENDED

    def test_stopping_what_nobody_started_is_no_error(self, executions: Executions) -> None:
        executions.stop("run-1", cause="cancelled")


class TestMemoryExecutions(ExecutionsContract):
    @pytest.fixture
    def executions(self) -> Executions:
        return MemoryExecutions()


class TestSfnExecutions(ExecutionsContract):
    @pytest.fixture
    def executions(self, request: pytest.FixtureRequest) -> Executions:
        sfn = client("stepfunctions")
        definition = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 60, "End": True}}}
        machine = sfn.create_state_machine(
            name=f"machine-{abs(hash(request.node.nodeid))}",
            definition=json.dumps(definition),
            roleArn="arn:aws:iam::123456789012:role/machine",
        )
        return SfnExecutions(client=sfn, state_machine_arn=machine["stateMachineArn"])


class EventBusContract(ABC):
    @abstractmethod
    @pytest.fixture
    def subject(self) -> tuple[EventBus, Callable[[], list[DomainEvent]]]: ...

    def test_all_of_many_events_are_published(
        self, subject: tuple[EventBus, Callable[[], list[DomainEvent]]]
    ) -> None:
        bus, published = subject
        events = [make_event(number) for number in range(1, 24)]

        bus.publish(iter(events))

        assert sorted(published(), key=lambda event: event.id) == events

    def test_publishing_nothing_is_no_error(
        self, subject: tuple[EventBus, Callable[[], list[DomainEvent]]]
    ) -> None:
        bus, published = subject

        bus.publish([])

        assert published() == []


class TestMemoryEventBus(EventBusContract):
    @pytest.fixture
    def subject(self) -> tuple[EventBus, Callable[[], list[DomainEvent]]]:
        bus = MemoryEventBus()
        return bus, lambda: bus.published


class TestEventBridgeBus(EventBusContract):
    @pytest.fixture
    def subject(self) -> tuple[EventBus, Callable[[], list[DomainEvent]]]:
        events = client("events")
        entries: list[Any] = []
        events.meta.events.register(
            "provide-client-params.events.PutEvents", lambda params, **_: entries.extend(params["Entries"])
        )
        bus = EventBridgeBus(client=events, name="default")
        return bus, lambda: [DomainEvent.model_validate_json(entry["Detail"]) for entry in entries]


class SecretsContract(ABC):
    @abstractmethod
    @pytest.fixture
    def secrets(self) -> Secrets: ...

    def test_a_secret_of_the_team_is_read(self, secrets: Secrets) -> None:
        assert secrets.get("demo", "api-key") == "s3cret"

    def test_a_secret_of_another_team_is_not_found(self, secrets: Secrets) -> None:
        with pytest.raises(NotFoundError):
            secrets.get("other", "api-key")


class TestMemorySecrets(SecretsContract):
    @pytest.fixture
    def secrets(self) -> Secrets:
        return MemorySecrets({("demo", "api-key"): "s3cret"})


class TestSecretsManagerSecrets(SecretsContract):
    @pytest.fixture
    def secrets(self) -> Secrets:
        manager = client("secretsmanager")
        name = "crosswind/test/demo/api-key"
        if not manager.list_secrets(Filters=[{"Key": "name", "Values": [name]}])["SecretList"]:
            manager.create_secret(Name=name, SecretString="s3cret")
        return SecretsManagerSecrets(client=manager, stage="test")
