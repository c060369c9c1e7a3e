"""Clusters: making them known, reading them, and choosing one for a run."""

from dataclasses import dataclass

from crosswind.contracts.actors import Action, Actor
from crosswind.contracts.cluster_answers import ClusterView
from crosswind.contracts.clusters import Cluster
from crosswind.contracts.permissions import Guard
from crosswind.contracts.suites import TestSuite
from crosswind.kernel.clock import Clock, to_iso
from crosswind.kernel.errors import FieldError, InvalidInputError, NotFoundError
from crosswind.kernel.paging import Page
from crosswind.runs.clusters.choosing import choose
from crosswind.runs.clusters.reading import cluster_of, parse_cluster, to_document
from crosswind.runs.ports import NOBODYS, DocumentRecord, DocumentStore
from crosswind.runs.usecases.storing import name_differs, record_of

_PAGE = 100


@dataclass(frozen=True)
class PutCluster:
    """Make a cluster known, or change what is known of it."""

    clusters: DocumentStore
    guard: Guard
    clock: Clock

    def __call__(self, name: str, text: str | bytes, *, actor: Actor) -> tuple[DocumentRecord, bool]:
        """The stored cluster, and whether it is new. Raises InvalidInputError, TooLargeError, ForbiddenError."""
        self.guard.require_anywhere(actor, Action.SET_CLUSTERS)
        cluster = parse_cluster(text)
        if cluster.metadata.name != name:
            raise name_differs("cluster", cluster.metadata.name, name)
        record = record_of(to_document(cluster), team=NOBODYS, name=name, actor=actor, clock=self.clock)
        return record, self.clusters.put(record)


@dataclass(frozen=True)
class GetCluster:
    """Read one."""

    clusters: DocumentStore
    guard: Guard

    def __call__(self, name: str, *, actor: Actor) -> ClusterView:
        """Raises NotFoundError, ForbiddenError."""
        self.guard.require_anywhere(actor, Action.READ_SUITES)
        return _view(self.clusters.get(NOBODYS, name))


@dataclass(frozen=True)
class ListClusters:
    """Read all, by name."""

    clusters: DocumentStore
    guard: Guard

    def __call__(self, *, limit: int, cursor: str | None, actor: Actor) -> Page[ClusterView]:
        """A page. Raises ForbiddenError."""
        self.guard.require_anywhere(actor, Action.READ_SUITES)
        page = self.clusters.list_documents(NOBODYS, limit=limit, cursor=cursor)
        return Page(tuple(map(_view, page.items)), page.cursor)


@dataclass(frozen=True)
class DeleteCluster:
    """Forget one. What runs there goes on; what was to be launched there is given up with the reason."""

    clusters: DocumentStore
    guard: Guard

    def __call__(self, name: str, *, actor: Actor) -> None:
        """Raises NotFoundError, ForbiddenError."""
        self.guard.require_anywhere(actor, Action.SET_CLUSTERS)
        self.clusters.delete(NOBODYS, name)


@dataclass(frozen=True)
class ChooseCluster:
    """Where a run's work is to be carried out. `default` is the deployment's own cluster; None: the pool of runners."""

    clusters: DocumentStore
    default: str | None

    def __call__(self, suite: TestSuite) -> str | None:
        """The cluster's name; None: the pool. Raises InvalidInputError."""
        chosen = choose(
            known_clusters(self.clusters),
            team=suite.metadata.team,
            named=suite.spec.cluster,
            default=self.default,
        )
        if chosen is None:
            _need_no_pods(suite)
        return chosen


def known_clusters(clusters: DocumentStore) -> tuple[Cluster, ...]:
    """All of them."""
    found: list[Cluster] = []
    cursor: str | None = None
    while True:
        page = clusters.list_documents(NOBODYS, limit=_PAGE, cursor=cursor)
        found += (cluster_of(record.spec) for record in page.items)
        cursor = page.cursor
        if cursor is None:
            return tuple(found)


def known_cluster(clusters: DocumentStore, name: str) -> Cluster | None:
    """One of them; None where there is none of that name (any more)."""
    try:
        return cluster_of(clusters.get(NOBODYS, name).spec)
    except NotFoundError:
        return None


def _need_no_pods(suite: TestSuite) -> None:
    """Raises InvalidInputError for what only pods can do."""
    faults = [
        FieldError(
            f"spec.stages[{s}].tests[{t}].{field}",
            "needs pods, and this run would go to the pool of runners",
            expected="`spec.cluster`, the name of a cluster",
        )
        for s, stage in enumerate(suite.spec.stages)
        for t, test in enumerate(stage.tests)
        for field, given in (("services", test.services), ("image", test.image))
        if given
    ]
    if faults:
        raise InvalidInputError("the suite needs a cluster", faults)


def _view(record: DocumentRecord) -> ClusterView:
    return ClusterView(
        cluster=cluster_of(record.spec), updated_at=to_iso(record.updated_at), updated_by=record.updated_by
    )
