"""Reads and pokes a deployment from outside: stacks and their outputs, one function, queue depths, Lambda logs.

The embedded cloud's commands use it; no Lambda does.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from crosswind.kernel.errors import DependencyError

_WELL = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE"})


@dataclass(frozen=True, slots=True)
class StackStatus:
    """One stack as CloudFormation tells it."""

    name: str
    status: str
    outputs: Mapping[str, str]

    @property
    def is_well(self) -> bool:
        """Whether the last change to it was carried out."""
        return self.status in _WELL


@dataclass(frozen=True, slots=True)
class Deployment:
    """Clients of one account and region. Methods raise DependencyError when AWS refuses or does not answer."""

    cloudformation: Any
    functions: Any
    logs: Any
    queues: Any

    def stacks(self, prefix: str) -> tuple[StackStatus, ...]:
        """The stacks whose name starts with `prefix`, by name."""
        try:
            pages = self.cloudformation.get_paginator("describe_stacks").paginate()
            found = [stack for page in pages for stack in page["Stacks"]]
        except (ClientError, BotoCoreError) as error:
            raise DependencyError(f"the stacks cannot be read: {error}") from error
        return tuple(
            StackStatus(
                name=stack["StackName"],
                status=stack["StackStatus"],
                outputs={item["OutputKey"]: item["OutputValue"] for item in stack.get("Outputs", [])},
            )
            for stack in sorted(found, key=lambda stack: str(stack["StackName"]))
            if stack["StackName"].startswith(prefix) and stack["StackStatus"] != "DELETE_COMPLETE"
        )

    def invoke(self, function: str) -> None:
        """Call a function that takes an event without content, and wait for its end."""
        try:
            answer = self.functions.invoke(FunctionName=function, Payload=json.dumps({}).encode())
        except (ClientError, BotoCoreError) as error:
            raise DependencyError(f"{function} cannot be called: {error}") from error
        if "FunctionError" in answer:
            said = answer["Payload"].read().decode(errors="replace")
            raise DependencyError(f"{function} failed: {said[:500]}")

    def queue_depth(self, url: str) -> int:
        """How many messages a queue holds, in flight and delayed ones included."""
        names = (
            *("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"),
            "ApproximateNumberOfMessagesDelayed",
        )
        try:
            values = self.queues.get_queue_attributes(QueueUrl=url, AttributeNames=list(names))["Attributes"]
        except (ClientError, BotoCoreError) as error:
            raise DependencyError(f"the depth of {url} cannot be read: {error}") from error
        return sum(int(values.get(name, 0)) for name in names)

    def log_groups(self) -> tuple[str, ...]:
        """Names of the log groups: each function and the state machine has one, named after it by its stack."""
        try:
            pages = self.logs.get_paginator("describe_log_groups").paginate()
            return tuple(sorted(group["logGroupName"] for page in pages for group in page["logGroups"]))
        except (ClientError, BotoCoreError) as error:
            raise DependencyError(f"the log groups cannot be read: {error}") from error

    def log_lines(self, group: str, *, since: datetime) -> Iterator[str]:
        """A log group's messages from a moment on, oldest first."""
        try:
            pages = self.logs.get_paginator("filter_log_events").paginate(
                logGroupName=group, startTime=int(since.timestamp() * 1000)
            )
            for page in pages:
                for event in page["events"]:
                    yield str(event["message"]).rstrip("\n")
        except (ClientError, BotoCoreError) as error:
            raise DependencyError(f"the log {group} cannot be read: {error}") from error
