"""What holds for every state machine, read from its file: limits, failure paths, and the subset both worlds run."""

from pathlib import Path

import pytest

from tests.statemachines import definition as asl

_FORBIDDEN = {
    "HeartbeatSeconds": "it would run while work waits in the queue",
    "HeartbeatSecondsPath": "it would run while work waits in the queue",
    "TimeoutSecondsPath": "the emulator ignores it",
    "QueryLanguage": "definitions are JSONPath",
    "Assign": "the emulator's variables are not proven",
    "ItemBatcher": "the emulator ignores it",
    "Arguments": "belongs to JSONata",
    "Output": "belongs to JSONata",
}
_RESOURCES = {"arn:aws:states:::lambda:invoke", "arn:aws:states:::sqs:sendMessage.waitForTaskToken"}
_CALLBACK_TIMEOUT = 86_400
_LAMBDA_TIMEOUT = 900
_ALL = pytest.mark.parametrize("path", asl.FILES, ids=lambda path: path.stem)


@_ALL
def test_every_state_can_be_reached_and_every_target_exists(path: Path) -> None:
    for machine in asl.machines(asl.load(path)):
        reached, waiting = set(), [machine["StartAt"]]
        while waiting:
            name = waiting.pop()
            assert name in machine["States"], f"{name} does not exist"
            if name not in reached:
                reached.add(name)
                waiting.extend(asl.targets(machine["States"][name]))
        assert reached == set(machine["States"])


@_ALL
def test_every_task_has_a_timeout_a_bounded_retry_and_a_catch(path: Path) -> None:
    for name, state in asl.states(asl.load(path)):
        if state["Type"] != "Task":
            continue
        limit = _CALLBACK_TIMEOUT if state["Resource"].endswith(".waitForTaskToken") else _LAMBDA_TIMEOUT
        assert 0 < state["TimeoutSeconds"] <= limit, name
        (retry,) = state["Retry"]
        assert set(retry["ErrorEquals"]) == {"States.TaskFailed", "States.Timeout"}, name
        assert 1 <= retry["MaxAttempts"] <= 10, name
        assert retry["BackoffRate"] > 1, name
        assert [rule["ErrorEquals"] for rule in state["Catch"]] == [["States.ALL"]], name


@_ALL
def test_every_map_is_bounded_and_caught(path: Path) -> None:
    for name, state in asl.states(asl.load(path)):
        if state["Type"] != "Map":
            continue
        assert state["MaxConcurrency"] > 0, name
        assert state["Catch"], name
        assert state["ResultPath"] is None, f"{name}: results of many items overflow a payload"
        if state["ItemProcessor"]["ProcessorConfig"]["Mode"] == "INLINE":
            ends = [inner for inner in state["ItemProcessor"]["States"].values() if inner.get("End")]
            assert [inner["OutputPath"] for inner in ends] == [None] * len(ends), (
                f"{name}: AWS bounds the list of all outputs, before ResultPath drops it, to 256 KiB"
            )
        if state["ItemProcessor"]["ProcessorConfig"]["Mode"] == "DISTRIBUTED":
            assert state["ItemProcessor"]["ProcessorConfig"]["ExecutionType"] == "STANDARD", name
            assert state["ToleratedFailurePercentage"] == 100, name
            assert "ResultWriter" in state, name


@_ALL
def test_nothing_is_used_that_one_of_the_two_worlds_lacks(path: Path) -> None:
    used = {name for name, _ in asl.fields(asl.load(path))}
    assert not {name: why for name, why in _FORBIDDEN.items() if name in used}
    assert "{%" not in path.read_text(encoding="utf-8"), "JSONata"


@_ALL
def test_resources_are_integrations_and_targets_are_placeholders(path: Path) -> None:
    for name, state in asl.states(asl.load(path)):
        if state["Type"] != "Task":
            continue
        assert state["Resource"] in _RESOURCES, name
        target = state["Parameters"].get("FunctionName") or state["Parameters"]["QueueUrl"]
        assert asl.PLACEHOLDER.fullmatch(target), f"{name} has a literal address"


@_ALL
def test_choices_have_a_default_and_never_read_an_exceptions_name(path: Path) -> None:
    for name, state in asl.states(asl.load(path)):
        if state["Type"] == "Choice":
            assert "Default" in state, name
            variables = [value for field, value in asl.fields(state) if field == "Variable"]
            assert not [each for each in variables if each.endswith(".Error")], name


def test_from_every_state_of_a_run_publish_run_is_ahead() -> None:
    machine = asl.load(asl.TEST_RUN)["States"]
    after = {"PublishRun", "RecordPublishFailure", "LeaveUnpublished"}
    for start in set(machine) - after:
        reached, waiting = set(), [start]
        while waiting:
            name = waiting.pop()
            if name not in reached:
                reached.add(name)
                waiting.extend(asl.targets(machine[name]))
        assert "PublishRun" in reached, start


@_ALL
def test_every_failed_state_is_recorded_under_its_own_name(path: Path) -> None:
    definition = asl.load(path)
    by_name = dict(asl.states(definition))
    recorded = {
        rule["Next"]: name
        for name, state in by_name.items()
        for rule in state.get("Catch", [])
        if rule["Next"].startswith("Record")
    }
    for recorder, origin in recorded.items():
        assert by_name[recorder]["Parameters"]["Payload"]["state"] == origin
