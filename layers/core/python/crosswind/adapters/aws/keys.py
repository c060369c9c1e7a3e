"""Keys of the items in the two tables. docs/data-model.md shows them with what is written when."""

from datetime import datetime

from crosswind.contracts.suites import Priority
from crosswind.kernel.clock import to_iso
from crosswind.kernel.json import digest_bytes
from crosswind.runs.model import WorkKey

BY_TEAM = "by_team"  # index of runs: teamKey, createdKey
UNFINISHED = "unfinished"  # sparse index of runs: unfinishedKey, runKey

RUN = "RUN"
WORK_PREFIX = "WORK#"
FAILURES_PREFIX = "FAILURES#"
SUITE_PREFIX = "SUITE#"
OUTBOX = "OUTBOX"
UNFINISHED_KEY = "UNFINISHED"
ACTIVE = "ACTIVE"

Key = dict[str, dict[str, str]]


def key(pk: str, sk: str) -> Key:
    """A primary key."""
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def run_partition(run_id: str) -> str:
    """A run, its work and its failures lie together."""
    return f"RUN#{run_id}"


def run_key(run_id: str) -> Key:
    """A run's record."""
    return key(run_partition(run_id), RUN)


def work_key(work: WorkKey) -> Key:
    """A piece of work."""
    return key(run_partition(work.run_id), f"{WORK_PREFIX}{work.work_id}")


def failures_key(run_id: str, work_id: str) -> Key:
    """The first failures of a shard."""
    return key(run_partition(run_id), f"{FAILURES_PREFIX}{work_id}")


def team_partition(team: str) -> str:
    """A team's suites, and in the index its runs."""
    return f"TEAM#{team}"


def created_key(created_at: datetime, run_id: str) -> str:
    """Order of runs in the index by team."""
    return f"{to_iso(created_at)}#{run_id}"


def suite_key(team: str, name: str) -> Key:
    """A stored suite."""
    return key(team_partition(team), f"{SUITE_PREFIX}{name}")


def idempotency_key(team: str, client_key: str) -> Key:
    """A client's key, digested: it may be long and hold anything."""
    return key(f"IDEMPOTENCY#{team}#{digest_bytes(client_key.encode())}", "IDEMPOTENCY")


def preparation_key(cache_key: str) -> Key:
    """A remembered preparation."""
    return key(f"PREPARATION#{cache_key}", "PREPARATION")


def event_key(event_id: str) -> Key:
    """An unsent event."""
    return key(OUTBOX, event_id)


def waiting_partition(priority: Priority) -> str:
    """The waiting list of a priority."""
    return f"WAITING#{priority.value}"


def waiting_key(priority: Priority, enqueued_at: datetime, work: WorkKey) -> Key:
    """A line of a waiting list: the oldest first."""
    return key(waiting_partition(priority), f"{to_iso(enqueued_at)}#{work.run_id}#{work.work_id}")


def active_key(work: WorkKey) -> Key:
    """A line of the active list."""
    return key(ACTIVE, f"{work.run_id}#{work.work_id}")


def term_key() -> Key:
    """The scheduler's lease and fence: every admission checks it."""
    return key("SCHEDULER", "TERM")


def wakeups_key() -> Key:
    """The wake-up counter: an item of its own, so that counting does not collide with admissions."""
    return key("SCHEDULER", "WAKEUPS")


def capacity_key() -> Key:
    """The slots that an executor registered."""
    return key("CAPACITY", "CAPACITY")
