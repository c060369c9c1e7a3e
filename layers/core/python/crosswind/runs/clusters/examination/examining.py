"""Every check, in the order in which a person would mend them."""

from collections.abc import Callable, Sequence

from crosswind.runs.clusters.bundle.options import BundleOptions
from crosswind.runs.clusters.examination.places import examine_places
from crosswind.runs.clusters.examination.ports import ExaminedCluster, Finding, RefusedError
from crosswind.runs.clusters.examination.rights import examine_rights
from crosswind.runs.clusters.examination.surroundings import examine_reach, examine_surroundings


def examine(
    cluster: ExaminedCluster,
    options: BundleOptions,
    *,
    targets: Sequence[str] = (),
    pause: Callable[[float], object],
) -> list[Finding]:
    """The findings; a check that cannot be made is one, too.

    Args:
        targets: HOST:PORT that a pod is to reach; none: no pod is made.
    """
    found: list[Finding] = []
    for part in (examine_surroundings, examine_rights, examine_places):
        try:
            found.extend(part(cluster, options))
        except RefusedError as error:
            name = part.__name__.removeprefix("examine_")
            found.append(
                Finding(check=name, ok=False, detail=f"refused: {error}", fix="sign in with more rights")
            )
    if targets:
        found.append(examine_reach(cluster, options, targets, pause))
    return found
