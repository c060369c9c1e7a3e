"""Use cases of the API on suites, frameworks and clusters; each made once, at first use."""

from functools import cache
from typing import TYPE_CHECKING

from crosswind.bootstrap import stores
from crosswind.contracts.permissions import Guard
from crosswind.kernel.clock import SystemClock
from crosswind.platform.access import decide
from crosswind.settings import ControlSettings

if TYPE_CHECKING:
    from crosswind.runs.spec_rules import Rules
    from crosswind.runs.usecases.clusters import DeleteCluster, GetCluster, ListClusters, PutCluster
    from crosswind.runs.usecases.frameworks import DeleteFramework, GetFramework, ListFrameworks, PutFramework
    from crosswind.runs.usecases.suites import DeleteSuite, GetSuite, ListSuites, PutSuite, ValidateSuite

# Use cases are imported where they are made: a handler pays for the one that it uses.
# ruff: noqa: PLC0415

_GUARD = Guard(decide)


@cache
def validate_suite() -> "ValidateSuite":
    """ValidateSuite."""
    from crosswind.runs.usecases.suites import ValidateSuite

    return ValidateSuite(guard=_GUARD, rules=suite_rules())


@cache
def put_suite() -> "PutSuite":
    """PutSuite."""
    from crosswind.runs.usecases.suites import PutSuite

    return PutSuite(
        suites=stores.suite_store(_settings()), guard=_GUARD, clock=SystemClock(), rules=suite_rules()
    )


@cache
def get_suite() -> "GetSuite":
    """GetSuite."""
    from crosswind.runs.usecases.suites import GetSuite

    return GetSuite(suites=stores.suite_store(_settings()), guard=_GUARD)


@cache
def list_suites() -> "ListSuites":
    """ListSuites."""
    from crosswind.runs.usecases.suites import ListSuites

    return ListSuites(suites=stores.suite_store(_settings()), guard=_GUARD)


@cache
def delete_suite() -> "DeleteSuite":
    """DeleteSuite."""
    from crosswind.runs.usecases.suites import DeleteSuite

    return DeleteSuite(suites=stores.suite_store(_settings()), guard=_GUARD)


@cache
def put_framework() -> "PutFramework":
    """PutFramework."""
    from crosswind.runs.usecases.frameworks import PutFramework

    return PutFramework(stores.framework_store(_settings()), guard=_GUARD, clock=SystemClock())


@cache
def get_framework() -> "GetFramework":
    """GetFramework."""
    from crosswind.runs.usecases.frameworks import GetFramework

    return GetFramework(stores.framework_store(_settings()), guard=_GUARD)


@cache
def list_frameworks() -> "ListFrameworks":
    """ListFrameworks."""
    from crosswind.runs.usecases.frameworks import ListFrameworks

    return ListFrameworks(stores.framework_store(_settings()), guard=_GUARD)


@cache
def delete_framework() -> "DeleteFramework":
    """DeleteFramework."""
    from crosswind.runs.usecases.frameworks import DeleteFramework

    return DeleteFramework(stores.framework_store(_settings()), guard=_GUARD)


@cache
def put_cluster() -> "PutCluster":
    """PutCluster."""
    from crosswind.runs.usecases.clusters import PutCluster

    return PutCluster(stores.cluster_store(_settings()), guard=_GUARD, clock=SystemClock())


@cache
def get_cluster() -> "GetCluster":
    """GetCluster."""
    from crosswind.runs.usecases.clusters import GetCluster

    return GetCluster(stores.cluster_store(_settings()), guard=_GUARD)


@cache
def list_clusters() -> "ListClusters":
    """ListClusters."""
    from crosswind.runs.usecases.clusters import ListClusters

    return ListClusters(stores.cluster_store(_settings()), guard=_GUARD)


@cache
def delete_cluster() -> "DeleteCluster":
    """DeleteCluster."""
    from crosswind.runs.usecases.clusters import DeleteCluster

    return DeleteCluster(stores.cluster_store(_settings()), guard=_GUARD)


def suite_rules() -> "Rules":
    """What is checked of a suite here."""
    from crosswind.runs.frameworks.stored import stored_framework
    from crosswind.runs.spec_rules import Rules

    frameworks = stores.framework_store(_settings())
    return Rules(
        local=_settings().stage == "local",
        team_framework=lambda team, name: stored_framework(frameworks, team, name),
    )


@cache
def _settings() -> ControlSettings:
    return ControlSettings.from_env()
