"""The edge of a Lambda that gets one JSON value and answers with one: a state machine's task, a rule's event.

A RetryableError rises, and so does everything unforeseen: the caller retries (States.TaskFailed), then catches and
records it. A TerminalError rises too, since whoever can route a failure returns it as a typed outcome in its answer.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, get_type_hints

from pydantic import BaseModel

from crosswind.edge import telemetry
from crosswind.kernel.errors import CrosswindError, RetryableError

Task = TypeVar("Task", bound=BaseModel)
Answer = TypeVar("Answer", bound=BaseModel)


def task_handler(function: Callable[[Task], Answer]) -> Callable[[Any, Any], dict[str, Any]]:
    """Turn `def handler(task: Model) -> Model` into a Lambda handler; the model comes from the annotation."""
    model = _model_of(function)

    @wraps(function)
    def handle(event: Any, context: Any) -> dict[str, Any]:
        telemetry.bind(context, **_subject(event))
        try:
            answer = function(model.model_validate(event))
        except RetryableError as error:
            telemetry.logger().warning("retryable: %s", error, exc_info=True)
            raise
        except CrosswindError as error:
            telemetry.logger().error("terminal: %s", error, exc_info=True)
            raise
        except Exception:
            telemetry.logger().exception("unforeseen fault")
            raise
        return answer.model_dump(mode="json", by_alias=True, exclude_none=True)

    return handle


def _model_of(function: Callable[[Task], Answer]) -> type[Task]:
    hints = [hint for name, hint in get_type_hints(function).items() if name != "return"]
    model: type[Task] = hints[0]
    return model


def _subject(event: Any) -> dict[str, str | None]:
    if not isinstance(event, dict):
        return {}
    ticket = event.get("ticket")
    work_id = event.get("workId") or (ticket.get("workId") if isinstance(ticket, dict) else None)
    return {"run_id": event.get("runId"), "work_id": work_id}
