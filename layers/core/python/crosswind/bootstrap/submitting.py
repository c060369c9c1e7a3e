"""SubmitRun, of the API and of what submits by itself; each made once, at first use."""

from functools import cache
from typing import TYPE_CHECKING

from crosswind.bootstrap import chaos_stores, documents, stores
from crosswind.contracts.permissions import Guard
from crosswind.kernel.clock import SystemClock
from crosswind.kernel.ids import RandomIds
from crosswind.platform.access import decide
from crosswind.settings import ChaosSettings, ControlSettings

if TYPE_CHECKING:
    from crosswind.runs.ports import Experiments
    from crosswind.runs.usecases.submitting import SubmitRun

# Use cases are imported where they are made: a handler pays for the one that it uses.
# ruff: noqa: PLC0415


@cache
def submit_run() -> "SubmitRun":
    """SubmitRun of the API, which also knows which experiments are approved."""
    from crosswind.adapters.experiments import StoredExperiments

    return _with(StoredExperiments(chaos_stores.experiment_store(ChaosSettings.from_env())))


@cache
def submit_stored_run() -> "SubmitRun":
    """SubmitRun of what submits by itself: whether an experiment may start, it learns when it starts."""
    from crosswind.adapters.experiments import UnknownExperiments

    return _with(UnknownExperiments())


def _with(experiments: "Experiments") -> "SubmitRun":
    """SubmitRun."""
    from crosswind.runs.usecases.clusters import ChooseCluster
    from crosswind.runs.usecases.submitting import SubmitRun

    settings = ControlSettings.from_env()
    return SubmitRun(
        runs=stores.run_store(settings),
        suites=stores.suite_store(settings),
        artifacts=stores.artifacts(settings),
        sources=stores.sources(settings),
        queue=stores.queue_store(settings),
        queues=stores.queues(settings),
        executions=stores.executions(settings),
        guard=Guard(decide),
        clock=SystemClock(),
        ids=RandomIds(),
        rules=documents.suite_rules(),
        queue_limit=settings.queue_limit,
        experiments=experiments,
        choose_cluster=ChooseCluster(stores.cluster_store(settings), settings.default_cluster or None),
    )
