"""One JSON log line per statement, with the field names of the Elastic Common Schema.

Everything that a function works on is told by `bind`: run, shard and actor stand in each line until the next `bind`.
"""

import logging
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter
from aws_lambda_powertools.logging.types import LogRecord

_NAMES = {
    "timestamp": "@timestamp",
    "level": "log.level",
    "location": "log.origin.function",
    "service": "service.name",
    "exception": "error.stack_trace",
    "exception_name": "error.type",
    "xray_trace_id": "trace.id",
    "function_name": "faas.name",
    "function_arn": "faas.id",
    "function_request_id": "faas.execution",
    "function_memory_size": "faas.memory",
    "cold_start": "faas.coldstart",
    "run_id": "crosswind.run.id",
    "work_id": "crosswind.work.id",
    "actor": "user.id",
    "team": "organization.id",
}


class EcsFormatter(LambdaPowertoolsFormatter):
    """Powertools' record under the names of the Elastic Common Schema."""

    def serialize(self, log: LogRecord) -> str:
        """The line as text."""
        record: dict[str, Any] = {**log}
        named = {_NAMES.get(name, name): value for name, value in record.items() if value is not None}
        return str(self.json_serializer({**named, "ecs.version": "8.11"}))


@cache
def logger() -> Logger:
    """The process's logger. The package's own loggers (`crosswind.…`) write through it too."""
    made = Logger(
        service="crosswind",
        logger_formatter=EcsFormatter(datefmt="%Y-%m-%dT%H:%M:%S.%F%z", utc=True),
    )
    package = logging.getLogger("crosswind")
    package.handlers = list(made.handlers)
    package.setLevel(made.log_level)
    package.propagate = False
    return made


def bind(context: Any, **about: str | None) -> None:
    """Start a statement's context: the Lambda's own fields, and what it works on."""
    log = logger()
    log.clear_state()
    fields = {name: value for name, value in about.items() if value is not None}
    if context is not None:
        fields["function_name"] = str(getattr(context, "function_name", ""))
        fields["function_request_id"] = str(getattr(context, "aws_request_id", ""))
    log.append_keys(**fields)


def add(**about: str | None) -> None:
    """Add what became known since `bind`."""
    logger().append_keys(**{name: value for name, value in about.items() if value is not None})


NAMESPACE = "Crosswind"


def count(*, stage: str, **metrics: int) -> None:
    """Write metrics as one line of the log, from which CloudWatch makes them (embedded metric format).

    `orphaned_runs=2` becomes OrphanedRuns in the namespace Crosswind, with stage and service as dimensions: no
    metric per run, team or test, each of which would cost a monthly fee.
    """
    from aws_lambda_powertools.metrics import (  # noqa: PLC0415  # only workers that count pay for the import
        EphemeralMetrics,
        MetricUnit,
    )

    metric_set = EphemeralMetrics(namespace=NAMESPACE, service="crosswind")
    metric_set.set_default_dimensions(stage=stage)
    for name, value in metrics.items():
        metric_set.add_metric(name=name.title().replace("_", ""), unit=MetricUnit.Count, value=value)
    metric_set.flush_metrics()
