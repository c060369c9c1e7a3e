"""Which cluster a suite's work runs on. Pure."""

from collections.abc import Sequence

from crosswind.contracts.clusters import Cluster, ClusterRole
from crosswind.kernel.errors import FieldError, InvalidInputError


def choose(clusters: Sequence[Cluster], *, team: str, named: str | None, default: str | None) -> str | None:
    """The one that the suite names, else the one that its team owns, else the deployment's own; None: the pool of runners.

    Raises:
        InvalidInputError: The suite names a cluster that is not there, or that its team may not use.
    """
    if named is not None:
        _check(clusters, team=team, named=named)
        return named
    owned = sorted(each.metadata.name for each in clusters if _is_for_tests(each) and team in each.spec.teams)
    return owned[0] if owned else default


def _check(clusters: Sequence[Cluster], *, team: str, named: str) -> None:
    usable = [
        each for each in clusters if _is_for_tests(each) and (not each.spec.teams or team in each.spec.teams)
    ]
    if any(each.metadata.name == named for each in usable):
        return
    expected = (
        ", ".join(sorted(each.metadata.name for each in usable)) or "`crosswind clusters add` makes one known"
    )
    fault = FieldError("spec.cluster", f"team {team} has no cluster `{named}`", expected=expected)
    raise InvalidInputError("the suite cannot run where it wants to", [fault])


def _is_for_tests(cluster: Cluster) -> bool:
    return cluster.spec.role is not ClusterRole.APPLICATION
