"""The stores of the chaos area on AWS, from settings; each made once, at first use."""

from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING

from crosswind.bootstrap import clients
from crosswind.kernel.clock import SystemClock
from crosswind.settings import ChaosSettings

if TYPE_CHECKING:
    from crosswind.adapters.aws.dynamo import Dynamo
    from crosswind.chaos.ports import ExperimentRunStore, ExperimentStore, FactStore

# Adapters are imported where they are made: a handler pays for those that it uses.
# ruff: noqa: PLC0415


@cache
def fact_store(settings: ChaosSettings) -> "FactStore":
    """Policies, the halt switch, incidents, deployments."""
    from crosswind.adapters.aws.fact_store import DynamoFactStore

    return DynamoFactStore(dynamo=_dynamo(), table=settings.chaos_table)


@cache
def experiment_store(settings: ChaosSettings) -> "ExperimentStore":
    """Definitions with their revisions."""
    from crosswind.adapters.aws.chaos_store import DynamoExperimentStore

    return DynamoExperimentStore(dynamo=_dynamo(), table=settings.chaos_table)


@cache
def experiment_run_store(settings: ChaosSettings) -> "ExperimentRunStore":
    """Runs of experiments, injections, holds, timelines, decisions."""
    from crosswind.adapters.aws.chaos_run_store import DynamoExperimentRunStore

    return DynamoExperimentRunStore(
        dynamo=_dynamo(),
        table=settings.chaos_table,
        clock=SystemClock(),
        retention=timedelta(days=settings.retention_days),
    )


@cache
def _dynamo() -> "Dynamo":
    from crosswind.adapters.aws.dynamo import Dynamo

    return Dynamo(clients.dynamodb())
