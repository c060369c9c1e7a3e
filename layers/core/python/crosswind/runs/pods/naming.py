"""Names of a piece of work's Jobs: the same for a repeated launch, so that it finds the Job that is there."""

import hashlib
from dataclasses import dataclass

from crosswind.runs.model import Work, WorkKey

PREFIX = "cw"
_DIGEST = 20
_LONGEST_LABEL = 63
_KEPT = 52
SYSTEM = "crosswind-system"
"""The namespace of Crosswind's own parts in a cluster, and of their secrets."""

_RESERVED = frozenset({SYSTEM, "default", "kube-system", "kube-public", "kube-node-lease"})


@dataclass(frozen=True, slots=True)
class Carrier:
    """Which try of which attempt a Job carries. A handed-back attempt comes again under a higher epoch."""

    key: WorkKey
    attempt: int
    epoch: int
    number: int = 0  # grows when the pod is made again without a new attempt

    @property
    def job(self) -> str:
        """The Job's name, a DNS label; the pod's begins with it."""
        digest = hashlib.sha256(f"{self.key.run_id}/{self.key.work_id}".encode()).hexdigest()[:_DIGEST]
        return f"{PREFIX}-{self.key.work_id}-{digest}-{self.attempt}-{self.epoch}-{self.number}"

    @property
    def runner_id(self) -> str:
        """Who holds the lease when this Job's pod has it."""
        return f"pod/{self.job}"


def carrier_of(work: Work, *, number: int = 0) -> Carrier:
    """The one that admitted work is to get."""
    return Carrier(work.key, work.attempt, work.epoch, number)


def namespace_of(prefix: str, team: str) -> str:
    """A team's namespace: after its name; with a digest where that is too long for a label, or somebody else's."""
    name = f"{prefix}{team}"
    if len(name) <= _LONGEST_LABEL and name not in _RESERVED:
        return name
    digest = hashlib.sha256(team.encode()).hexdigest()[:10]
    return f"{name[:_KEPT]}-{digest}"
