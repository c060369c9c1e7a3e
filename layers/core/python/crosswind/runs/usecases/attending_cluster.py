"""Looking after one cluster from within: what changes is looked at within a second, everything now and then."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from crosswind.contracts.clusters import ClusterSpec
from crosswind.kernel.errors import CrosswindError
from crosswind.runs.pods.attending import RELIED_ON, SETTLING, Attendance
from crosswind.runs.pods.model import Caretaker
from crosswind.runs.pods.ports import ChangingJobs, ConnectedCluster, JobApi
from crosswind.runs.usecases.observing_pods import Observed, ObserveJobs


@dataclass
class AttendCluster:
    """One step each time it is called. It may be killed anywhere, and run beside the edition without a controller."""

    name: str
    read_spec: Callable[[], ClusterSpec]
    api: JobApi
    jobs: ChangingJobs
    observe: ObserveJobs
    pause: Callable[[float], object]
    _did: Attendance = field(default=Attendance(), init=False)
    _spec: ClusterSpec | None = field(default=None, init=False)
    _count: int = field(default=0, init=False)

    def __call__(self) -> Observed:
        """Wait for a change or until everything is due, look, and tell that the cluster is looked after.

        Raises:
            CrosswindError: Stores or cluster could not be read; call again. Until it goes well nothing is told, so that
                the edition without a controller takes over.
        """
        clock = self.observe.clock
        if not self.jobs.is_current():
            self.pause(SETTLING)
            return Observed()
        if self.jobs.wait(self._did.patience(clock.now())):
            self.pause(SETTLING)
        now = clock.now()
        everything = self._did.everything_is_due(now)
        if everything:
            self._did = replace(self._did, everything_at=now)
        try:
            seen = self._look(everything=everything)
            self._did = replace(self._did, failed=False)
            if self._did.telling_is_due(now):
                until = now + RELIED_ON
                self.observe.pods.put_caretaker(Caretaker(cluster=self.name, until=until, jobs=self._count))
                self._did = replace(self._did, told_at=now)
        except CrosswindError:
            self._did = replace(self._did, failed=True)
            raise
        return seen

    def _look(self, *, everything: bool) -> Observed:
        changed = self.jobs.take()
        if self._spec is None or everything:
            self._spec = self.read_spec()
        wanted = self.jobs.facts(None if everything else changed)
        if everything:
            self._count = len(wanted)
        return self.observe(ConnectedCluster(self.name, self._spec, self.api), wanted)
