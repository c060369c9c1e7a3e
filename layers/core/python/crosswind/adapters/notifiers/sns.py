"""The operators' topic on SNS."""

from dataclasses import dataclass
from typing import Any, Protocol

from crosswind.adapters.aws.errors import aws_errors
from crosswind.chaos.model import ExperimentRun
from crosswind.kernel import json

_SUBJECT_CHARACTERS = 99  # SNS takes fewer than 100, ASCII


class SnsClient(Protocol):
    """The call of SNS that is made here."""

    def publish(self, **call: Any) -> Any: ...


@dataclass(frozen=True)
class SnsTopic:
    """Tells the operators of the deployment."""

    client: SnsClient
    topic_arn: str

    def tell(self, run: ExperimentRun, occasion: str, text: str) -> None:
        """Raises ThrottledError, DependencyError."""
        subject = f"Crosswind chaos: {occasion}: {run.experiment}"
        with aws_errors("sns"):
            self.client.publish(
                TopicArn=self.topic_arn,
                Subject=subject.encode("ascii", errors="replace").decode()[:_SUBJECT_CHARACTERS],
                Message=json.canonical(message(run, occasion, text)),
                MessageAttributes={"occasion": {"DataType": "String", "StringValue": occasion}},
            )


def message(run: ExperimentRun, occasion: str, text: str) -> dict[str, str | int]:
    """What is told, in one form for every channel. `text` is what chat webhooks show."""
    return {
        "text": f"[{occasion}] {run.experiment} of {run.team} in {run.environment} ({run.run_id}): {text}",
        "occasion": occasion,
        "runId": run.run_id,
        "experiment": run.experiment,
        "team": run.team,
        "environment": run.environment,
        "state": run.state.value,
        "revision": run.revision,
    }
