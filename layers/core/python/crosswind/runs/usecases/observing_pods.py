"""Looking after the Jobs of a cluster: their facts are kept, lost attempts are told at once, nothing is left behind.

It may run twice at once, be killed anywhere, or not run for a while: it decides anew each time, from what is there.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice

from crosswind.kernel.clock import Clock
from crosswind.kernel.errors import CrosswindError
from crosswind.runs import protocol
from crosswind.runs.effects import Transition
from crosswind.runs.model import Work, WorkKey, WorkState
from crosswind.runs.pods.attending import is_on_duty
from crosswind.runs.pods.model import JobFacts, PodRecord
from crosswind.runs.pods.naming import Carrier
from crosswind.runs.pods.observing import Act, GiveUp, Lose, Remove, Replace, observe
from crosswind.runs.pods.ports import ConnectedCluster, PodStore
from crosswind.runs.ports import WorkStore
from crosswind.runs.usecases.changing import ChangeWork
from crosswind.runs.usecases.launching import LaunchPod

BATCH = 100
LOOKS = 3
SIDE_BY_SIDE = 8
BETWEEN_LOOKS = 20.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Observed:
    """What one look came to."""

    jobs: int = 0
    lost: int = 0
    removed: int = 0
    replaced: int = 0
    orphans: int = 0  # Jobs that no work of this deployment needs
    failed: int = 0  # that could not be looked after now
    attended: int = 0  # Jobs of clusters that a controller looks after

    def __add__(self, other: "Observed") -> "Observed":
        return Observed(
            self.jobs + other.jobs,
            self.lost + other.lost,
            self.removed + other.removed,
            self.replaced + other.replaced,
            self.orphans + other.orphans,
            self.failed + other.failed,
            self.attended + other.attended,
        )


@dataclass(frozen=True)
class ObserveJobs:
    """Look at Jobs beside their work, and do what is to be done."""

    works: WorkStore
    pods: PodStore
    launch: LaunchPod
    change: ChangeWork
    clock: Clock

    def __call__(self, cluster: ConnectedCluster, jobs: Iterable[JobFacts]) -> Observed:
        """Raises CrosswindError where the stores cannot be read; a Job that fails keeps none of the others."""
        total = Observed()
        for batch in _batches(jobs):
            total += self._batch(cluster, batch)
        return total

    def _batch(self, cluster: ConnectedCluster, jobs: list[JobFacts]) -> Observed:
        carriers = [job.carrier for job in jobs if job.carrier is not None]
        works = {work.key: work for work in self.works.get_many(list({each.key for each in carriers}))}
        records = {_launch_of(record.carrier): record for record in self.pods.get_many(carriers)}
        total = Observed()
        for job in jobs:
            carrier = job.carrier
            work = works.get(carrier.key) if carrier else None
            record = records.get(_launch_of(carrier)) if carrier else None
            try:
                total += self._one(cluster, job, work, record)
            except CrosswindError as error:
                _log.warning("Job %s could not be looked after: %s", job.name, error)
                total += Observed(jobs=1, failed=1)
        return total

    def _one(
        self, cluster: ConnectedCluster, job: JobFacts, work: Work | None, record: PodRecord | None
    ) -> Observed:
        seen = observe(job, work, record, cluster.spec, now=self.clock.now())
        if seen.record is not None and seen.record != record and not self.pods.put(seen.record):
            return Observed(jobs=1)  # another observer has replaced it since it was listed
        done = Observed(jobs=1)
        for act in seen.acts:
            came_to = self._carry_out(act, cluster, job, work, seen.record or record)
            done += came_to
            if isinstance(act, Lose | GiveUp) and not came_to.lost:
                break  # the work has moved on meanwhile: what was decided for it holds no longer
        return done

    def _carry_out(
        self, act: Act, cluster: ConnectedCluster, job: JobFacts, work: Work | None, record: PodRecord | None
    ) -> Observed:
        match act:
            case Lose():
                return Observed(lost=int(self._lose(job, act)))
            case GiveUp(reason, detail):
                return Observed(lost=int(self._give_up(job, f"{reason.value}: {detail}")))
            case Remove(why):
                _log.info("removing Job %s: %s", job.name, why)
                cluster.api.delete(job.namespace, job.name)
                return Observed(removed=1, orphans=int(work is None))
            case Replace(detail, elsewhere):
                return self._replace(cluster, job, work, record, detail, elsewhere=elsewhere)

    def _lose(self, job: JobFacts, act: Lose) -> bool:
        carrier = job.carrier
        if carrier is None:
            return False

        def decide(stored: Work | None) -> Transition | None:
            if stored is None or (act.unless_begun and stored.state is not WorkState.ADMITTED):
                return None
            return protocol.lose_carrier(
                stored,
                carrier=carrier.runner_id,
                epoch=carrier.epoch,
                now=self.clock.now(),
                reason=act.reason,
                detail=act.detail,
            )

        return self.change(carrier.key, decide) is not None

    def _give_up(self, job: JobFacts, reason: str) -> bool:
        carrier = job.carrier
        if carrier is None:
            return False

        def decide(stored: Work | None) -> Transition | None:
            if stored is None or not _is_to_carry(stored, carrier):
                return None
            return protocol.give_up(stored, reason=reason, now=self.clock.now())

        return self.change(carrier.key, decide) is not None

    def _replace(
        self,
        cluster: ConnectedCluster,
        job: JobFacts,
        work: Work | None,
        record: PodRecord | None,
        detail: str,
        *,
        elsewhere: bool,
    ) -> Observed:
        """The record first: whoever comes after a crash here finds what is to be, and the old Job in the way."""
        carrier = job.carrier
        if work is None or carrier is None or record is None:
            return Observed()
        tried = (*record.tried, record.capacity) if elsewhere else record.tried
        placement = self.launch.place_elsewhere(work, cluster, tried=tried) if elsewhere else None
        now = next(iter(self.works.get_many([work.key])), None)
        if now is None or now.state is not WorkState.ADMITTED or now.epoch != carrier.epoch:
            return Observed()  # its agent has begun since the list was made
        again = replace(
            record,
            carrier=replace(record.carrier, number=carrier.number + 1),
            tried=tried,
            launched_at=self.clock.now(),
            scheduled_at=None,
            node=None,
        )
        if placement is not None:
            again = replace(again, capacity=placement.offer.kind, placement=placement.reason)
        _log.info("making the pod of %s again: %s", job.name, detail)
        if not self.pods.put(again):
            return Observed()
        self.launch(work, cluster, known=again)
        cluster.api.delete(job.namespace, job.name)
        return Observed(replaced=1)


@dataclass(frozen=True)
class ObserveClusters:
    """Look at every cluster: the edition without a controller. Called each minute, it looks three times where there are Jobs.

    A cluster with a caretaker is left to it, and taken over as soon as that one falls silent.
    """

    connect_all: Callable[[], Iterator[ConnectedCluster]]
    observe: ObserveJobs
    stage: str
    pause: Callable[[float], object]

    def __call__(self) -> Observed:
        """A cluster that cannot be reached keeps none of the others; its leases lapse, which brings its work back."""
        total = Observed()
        for look in range(LOOKS):
            if look:
                self.pause(BETWEEN_LOOKS)
            seen = self._look()
            total += seen
            if seen.jobs == seen.attended == 0:
                break
        return total

    def _look(self) -> Observed:
        """Side by side: those that do not answer must not take the time of those behind them."""
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            return sum(pool.map(self._look_at, self.connect_all()), Observed())

    def _look_at(self, cluster: ConnectedCluster) -> Observed:
        try:
            caretaker = self.observe.pods.caretaker(cluster.name)
            if is_on_duty(caretaker, now=self.observe.clock.now()):
                return Observed(attended=caretaker.jobs if caretaker else 0)
            return self.observe(cluster, cluster.api.jobs(self.stage))
        except CrosswindError:
            _log.exception("cluster %s could not be looked at", cluster.name)
            return Observed(failed=1)


def _launch_of(carrier: Carrier) -> tuple[WorkKey, int, int]:
    return carrier.key, carrier.attempt, carrier.epoch


def _is_to_carry(work: Work, carrier: Carrier) -> bool:
    if work.state is WorkState.LEASED:
        return work.lease is not None and work.lease.runner_id == carrier.runner_id
    return work.state is WorkState.ADMITTED and work.epoch == carrier.epoch


def _batches(jobs: Iterable[JobFacts]) -> Iterator[list[JobFacts]]:
    left = iter(jobs)
    while batch := list(islice(left, BATCH)):
        yield batch
