"""The decorators of tasks and queue consumers, and the log lines that they write."""

import json
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from crosswind.contracts.tasks import IngestShardAnswer, RunTask
from crosswind.contracts.work import AdmissionMessage, DispatchMessage, WatchMessage
from crosswind.edge import telemetry
from crosswind.edge.queue_handler import Received, queue_handler
from crosswind.edge.task_handler import task_handler
from crosswind.kernel.errors import DependencyError, NotFoundError
from tests.fakes.samples import run_id

CONTEXT = SimpleNamespace(function_name="plan-run", aws_request_id="request-1")


def record(identifier: str, body: str) -> dict[str, Any]:
    return {"messageId": identifier, "body": body, "attributes": {"SentTimestamp": "1769846400123"}}


def watch(number: int) -> str:
    return WatchMessage(run_id=run_id(number)).to_wire()


def test_metrics_are_one_line_with_no_dimension_for_runs_teams_or_tests(
    capsys: pytest.CaptureFixture[str],
) -> None:
    telemetry.count(stage="dev", orphaned_runs=2, delayed_events=0)
    line = json.loads(capsys.readouterr().out)
    assert (line["OrphanedRuns"], line["DelayedEvents"], line["stage"]) == ([2.0], [0.0], "dev")
    [metrics] = line["_aws"]["CloudWatchMetrics"]
    assert metrics["Namespace"] == "Crosswind"
    assert metrics["Dimensions"] == [["stage", "service"]]


class TestTaskHandler:
    def test_a_task_is_parsed_and_its_answer_dumped_in_camel_case(self) -> None:
        @task_handler
        def handler(task: RunTask) -> RunTask:
            return task

        assert handler({"runId": run_id(1)}, CONTEXT) == {"runId": run_id(1)}

    def test_a_payload_that_does_not_fit_is_refused(self) -> None:
        @task_handler
        def handler(_task: RunTask) -> IngestShardAnswer:
            return IngestShardAnswer(tests=1, failed=0)

        with pytest.raises(ValidationError):
            handler({"runId": run_id(1), "more": 1}, CONTEXT)

    @pytest.mark.parametrize(
        "error", [DependencyError("slow"), NotFoundError("gone"), ZeroDivisionError("what")]
    )
    def test_every_error_rises_and_is_logged(
        self, error: Exception, capsys: pytest.CaptureFixture[str]
    ) -> None:
        @task_handler
        def handler(_task: RunTask) -> RunTask:
            raise error

        with pytest.raises(type(error)):
            handler({"runId": run_id(1)}, CONTEXT)


class TestQueueHandler:
    def test_messages_are_parsed_with_the_time_at_which_they_were_sent(self) -> None:
        seen: list[Received[WatchMessage]] = []

        @queue_handler
        def handler(messages: Sequence[Received[WatchMessage]]) -> Sequence[int]:
            seen.extend(messages)
            return ()

        assert handler({"Records": [record("a", watch(1))]}, CONTEXT) == {"batchItemFailures": []}
        assert seen[0].body.run_id == run_id(1)
        assert seen[0].sent_at == datetime(2026, 1, 31, 8, 0, 0, 123000, tzinfo=UTC)

    def test_what_failed_and_what_cannot_be_read_is_reported_alone(self) -> None:
        @queue_handler
        def handler(messages: Sequence[Received[WatchMessage]]) -> Sequence[int]:
            return [len(messages) - 1]

        event = {"Records": [record("a", "{not json"), record("b", watch(1)), record("c", watch(2))]}
        failures = handler(event, CONTEXT)["batchItemFailures"]
        assert [failure["itemIdentifier"] for failure in failures] == ["a", "c"]

    def test_a_batch_without_a_readable_message_calls_nothing(self) -> None:
        @queue_handler
        def handler(messages: Sequence[Received[WatchMessage]]) -> Sequence[int]:
            raise AssertionError

        assert handler({"Records": [record("a", "[]")]}, CONTEXT) == {
            "batchItemFailures": [{"itemIdentifier": "a"}]
        }

    def test_a_queue_of_several_kinds_of_messages_tells_them_apart(self) -> None:
        kinds: list[type[object]] = []

        @queue_handler
        def handler(messages: Sequence[Received[AdmissionMessage | DispatchMessage]]) -> Sequence[int]:
            kinds.extend(type(message.body) for message in messages)
            return ()

        dispatch = DispatchMessage(run_id=run_id(1), work_id="shard-00000", attempt=1)
        wake = AdmissionMessage(wake=True)
        handler({"Records": [record("a", dispatch.to_wire()), record("b", wake.to_wire())]}, CONTEXT)
        assert [kind.__name__ for kind in kinds] == ["DispatchMessage", "AdmissionMessage"]

    def test_an_unforeseen_fault_fails_the_whole_batch(self) -> None:
        @queue_handler
        def handler(messages: Sequence[Received[WatchMessage]]) -> Sequence[int]:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            handler({"Records": [record("a", watch(1))]}, CONTEXT)


def test_a_log_line_has_the_names_of_the_elastic_common_schema() -> None:
    log = telemetry.logger()
    telemetry.bind(CONTEXT, run_id="run-1", work_id=None)
    formatter = log.registered_formatter
    made = log.handlers[0].formatter
    assert made is formatter

    line = json.loads(
        formatter.format(logging.LogRecord("crosswind", logging.INFO, __file__, 1, "hello", None, None))
    )
    assert line["message"] == "hello"
    assert line["log.level"] == "INFO"
    assert line["service.name"] == "crosswind"
    assert line["crosswind.run.id"] == "run-1"
    assert line["faas.execution"] == "request-1"
    assert "@timestamp" in line
    assert "crosswind.work.id" not in line
    telemetry.bind(None)
