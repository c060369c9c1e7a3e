"""Walks statemachines/chaos/experiment.asl.json: its Choices, Retries and Catches are those that run."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

from crosswind.contracts.chaos.tasks import CloseStepTask, EngineAnswer, EngineFailureTask
from crosswind.contracts.work import Ticket
from tests.statemachines import definition as asl
from tests.unit.chaos.engine.stand_ins import RUN_ID
from tests.unit.chaos.engine.world import World

MACHINE = asl.ROOT / "statemachines/chaos/experiment.asl.json"


class LambdaFailedError(Exception):
    """What a Task of the machine sees of any exception: nothing that it could tell apart."""


@dataclass
class Machine:
    """One execution of chaos/experiment, walked state by state."""

    world: World
    name: str | None = field(init=False)
    path: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._definition = json.loads(MACHINE.read_text(encoding="utf-8"))
        self.name = self._definition["StartAt"]
        self._data: dict[str, Any] = {"runId": RUN_ID}
        self._tries = 0
        self._token: int | None = None

    @property
    def waits(self) -> bool:
        """Whether it holds a token that nobody has answered."""
        return self._token is not None and self._token not in self.world.monitor.answers

    def step(self) -> None:
        """Enter or finish one state."""
        if self.name is None or self.waits:
            return
        state = self._state
        if not self.path or self.path[-1] != self.name or (self._tries == 0 and self._token is None):
            self.path.append(self.name)
        if state["Type"] == "Pass":
            self._go(None)
        elif state["Type"] == "Choice":
            self._go(self._choose(state))
        elif "QueueUrl" in state["Parameters"]:
            self._wait(state)
        else:
            self._call(state)

    def walk(self, *, most: int = 200) -> None:
        """As far as it comes by itself."""
        for _ in range(most):
            if self.name is None or self.waits:
                return
            self.step()
        raise AssertionError(f"the machine goes in circles: {self.path[-10:]}")

    @property
    def _state(self) -> dict[str, Any]:
        state: dict[str, Any] = self._definition["States"][self.name]
        return state

    def _go(self, following: str | None) -> None:
        self.name, self._tries, self._token = following, 0, None

    def _wait(self, state: Mapping[str, Any]) -> None:
        if self._token is None:
            ticket = self._read(state["Parameters"]["MessageBody"]["ticket.$"])
            self._token = self.world.monitor.enqueue(Ticket.model_validate(ticket))
            return
        answer = self.world.monitor.answers[self._token]
        self._data["monitor"] = {"answer": answer.model_dump(mode="json", by_alias=True, exclude_none=True)}
        self._go(state["Next"])

    def _call(self, state: Mapping[str, Any]) -> None:
        payload = {
            name.removesuffix(".$"): self._read(value) if name.endswith(".$") else value
            for name, value in state["Parameters"]["Payload"].items()
            if name != "failure"
        }
        function = state["Parameters"]["FunctionName"]
        try:
            answer = self._invoke(function, payload)
        except LambdaFailedError:
            (retry,) = state["Retry"]
            self._tries += 1
            self.world.clock.advance(1)
            if self._tries > retry["MaxAttempts"]:
                self._go(state["Catch"][0]["Next"])
            return
        if state["ResultPath"] is not None:
            self._data[state["ResultPath"].removeprefix("$.")] = {"answer": answer}
        self._go(state.get("Next"))

    def _invoke(self, function: str, payload: dict[str, Any]) -> Any:
        world = self.world
        calls: dict[str, Callable[[], Any]] = {
            "${PreflightCheckFunctionArn}": partial(world.preflight, RUN_ID),
            "${InjectStepFunctionArn}": lambda: world.inject(RUN_ID, step=payload["step"]),
            "${CloseStepFunctionArn}": lambda: _close(world, payload),
            "${RecoverFunctionArn}": partial(world.recover, RUN_ID),
            "${AnalyzeFunctionArn}": partial(world.analyze, RUN_ID),
            "${RecordEngineFailureFunctionArn}": lambda: _fail(world, payload),
        }
        try:
            answer = calls[function]()
        except AssertionError:
            raise
        except (Exception, Killed) as error:
            raise LambdaFailedError(function) from error
        return answer.model_dump(mode="json", by_alias=True, exclude_none=True) if answer else {}

    def _choose(self, state: Mapping[str, Any]) -> str:
        for rule in state["Choices"]:
            if all(self._holds(each) for each in rule.get("And", [rule])):
                return cast("str", rule["Next"])
        return cast("str", state["Default"])

    def _holds(self, rule: Mapping[str, Any]) -> bool:
        try:
            value = self._read(rule["Variable"])
        except KeyError:
            return False
        return "IsPresent" in rule or value == rule["StringEquals"]

    def _read(self, path: str) -> Any:
        value: Any = self._data
        for part in path.removeprefix("$.").split("."):
            value = value[part]
        return value


class Killed(BaseException):
    """The Lambda's process is gone, in the middle of whatever it did."""


def _close(world: World, payload: dict[str, Any]) -> EngineAnswer:
    task = CloseStepTask.model_validate(payload)
    return world.close(task.run_id, step=task.step, answer=task.answer)


def _fail(world: World, payload: dict[str, Any]) -> None:
    task = EngineFailureTask.model_validate({**payload, "failure": {"Error": "Lambda", "Cause": "gone"}})
    world.record_failure(task.run_id, state=task.state, detail=task.failure.cause)
