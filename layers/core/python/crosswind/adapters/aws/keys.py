"""Keys of the items in the two tables. docs/data-model.md shows them with what is written when."""

from datetime import datetime

from crosswind.kernel.clock import to_iso
from crosswind.kernel.json import digest_bytes
from crosswind.runs.history.model import JobKey
from crosswind.runs.model import WorkKey

BY_TEAM = "by_team"  # index of runs: teamKey, createdKey
UNFINISHED = "unfinished"  # sparse index of runs: unfinishedKey, runKey

RUN = "RUN"
WORK_PREFIX = "WORK#"
BEAT_SUFFIX = "#BEAT"
FAILURES_PREFIX = "FAILURES#"
LEASED_PREFIX = "LEASED#"
COMMITTED_PREFIX = "COMMITTED#"
LOST_PREFIX = "LOST#"
BARRIER_OPENED = "OPENED"
BARRIER_DECISION = "DECISION"
BARRIER_JUDGED = "JUDGED"
BARRIER_READY_PREFIX = "READY#"
SUITE_PREFIX = "SUITE#"
FRAMEWORK_PREFIX = "FRAMEWORK#"
CLUSTER_PREFIX = "CLUSTER#"
SCHEDULE_PREFIX = "SCHEDULE#"
TRIGGER_PREFIX = "TRIGGER#"
OUTBOX = "OUTBOX"
UNFINISHED_KEY = "UNFINISHED"
DUE_KEY = "DUE"  # schedules with a due run, in the same sparse index as unfinished runs
ACTIVE = "ACTIVE"
LANES = "LANES"
READY_PREFIX = "READY#"
LATER_PREFIX = "LATER#"  # before READY# in the order of keys
RULES = "CAPACITY"
EXECUTOR_RULE = "CAPACITY"
TEAM_PREFIX = "TEAM#"
PAUSED_PREFIX = "PAUSED#"

_LONGEST_ESTIMATE = 10**9  # milliseconds
PAGE_PREFIX = "PAGE#"
JOB_PREFIX = "JOB#"
UNWELL_PREFIX = "UNWELL#"
_DIGEST_CHARACTERS = 32  # hex digits: 128 bits

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


def beat_key(work: WorkKey) -> Key:
    """The heartbeats of a piece of work: right behind it, so that a query reads both."""
    return key(run_partition(work.run_id), f"{WORK_PREFIX}{work.work_id}{BEAT_SUFFIX}")


def failures_key(run_id: str, work_id: str) -> Key:
    """The first failures of a shard."""
    return key(run_partition(run_id), f"{FAILURES_PREFIX}{work_id}")


def pull_partition(run_id: str, pull_id: str) -> str:
    """The batches of a work list. Not in the run's own partition: a thousand runners write here all the time."""
    return f"PULL#{run_id}#{pull_id}"


def pull_head_key(run_id: str, pull_id: str, stripe: int) -> Key:
    """The head of a stripe, in a partition of its own: every lease writes one."""
    return key(f"{pull_partition(run_id, pull_id)}#{stripe}", "HEAD")


def leased_batch_key(run_id: str, pull_id: str, work_id: str) -> Key:
    """The one batch that a shard holds."""
    return key(pull_partition(run_id, pull_id), f"{LEASED_PREFIX}{work_id}")


def committed_batch_key(run_id: str, pull_id: str, work_id: str, stripe: int, number: int) -> Key:
    """A batch that a shard has done."""
    return key(pull_partition(run_id, pull_id), f"{COMMITTED_PREFIX}{work_id}#{stripe:03d}#{number:06d}")


def lost_batch_key(run_id: str, pull_id: str, stripe: int, number: int) -> Key:
    """A batch that was given up."""
    return key(pull_partition(run_id, pull_id), f"{LOST_PREFIX}{stripe:03d}#{number:06d}")


def barrier_partition(run_id: str, group: str) -> str:
    """A load job's barrier: what its workers read each second lies together, apart from the run's own partition."""
    return f"BARRIER#{run_id}#{group}"


def pods_partition(run_id: str) -> str:
    """The pods of a run, apart from its own partition: a launcher and an observer write here all the time."""
    return f"PODS#{run_id}"


def pod_key(run_id: str, work_id: str, attempt: int, epoch: int) -> Key:
    """What is kept of one launch of an attempt."""
    return key(pods_partition(run_id), f"{work_id}#{attempt:03d}#{epoch:06d}")


def caretaker_key(cluster: str) -> Key:
    """The controller that looks after a cluster. A partition of its own: it is written all the time."""
    return key(f"CARETAKER#{cluster}", "CARETAKER")


def team_partition(team: str) -> str:
    """A team's suites and frameworks, and in the index its runs."""
    return f"TEAM#{team}"


def created_key(created_at: datetime, run_id: str) -> str:
    """Order of runs in the index by team."""
    return f"{to_iso(created_at)}#{run_id}"


def document_key(prefix: str, team: str, name: str) -> Key:
    """A suite or a framework that is stored under its name."""
    return key(team_partition(team), f"{prefix}{name}")


def schedule_key(team: str, name: str) -> Key:
    """A stored schedule."""
    return key(team_partition(team), f"{SCHEDULE_PREFIX}{name}")


def due_order(due: datetime, team: str, name: str) -> str:
    """Order of schedules in the index of what is due."""
    return f"{to_iso(due)}#{team}#{name}"


def trigger_key(team: str, name: str) -> Key:
    """A stored trigger."""
    return key(team_partition(team), f"{TRIGGER_PREFIX}{name}")


def deployment_key(team: str, event_id: str) -> Key:
    """The record of a deployment."""
    return key(team_partition(team), f"DEPLOYMENT#{event_id}")


def idempotency_key(team: str, client_key: str) -> Key:
    """A client's key, digested: it may be long and hold anything."""
    return key(f"IDEMPOTENCY#{team}#{digest_bytes(client_key.encode())}", "IDEMPOTENCY")


def preparation_key(cache_key: str) -> Key:
    """A remembered preparation."""
    return key(f"PREPARATION#{cache_key}", "PREPARATION")


def event_key(event_id: str) -> Key:
    """An unsent event."""
    return key(OUTBOX, event_id)


def lane_partition(run_id: str) -> str:
    """The waiting work of a run."""
    return f"LANE#{run_id}"


def ready_key(work: WorkKey, *, estimate_seconds: float, enqueued_at: datetime) -> Key:
    """A line of a lane: the longest first, then the oldest."""
    rank = _LONGEST_ESTIMATE - min(max(round(estimate_seconds * 1000), 0), _LONGEST_ESTIMATE)
    return key(lane_partition(work.run_id), f"{READY_PREFIX}{rank:010d}#{to_iso(enqueued_at)}#{work.work_id}")


def later_key(work: WorkKey, *, not_before: datetime) -> Key:
    """A line of work that came back: by the moment at which its backoff is over. It lies before all ready ones."""
    return key(lane_partition(work.run_id), f"{LATER_PREFIX}{to_iso(not_before)}#{work.work_id}")


def lane_key(run_id: str) -> Key:
    """That a run has waiting work."""
    return key(LANES, run_id)


def rule_key(name: str) -> Key:
    """What the scheduler goes by lies in one partition: one query gives all of it."""
    return key(RULES, name)


def team_rule(team: str) -> str:
    """Name of a team's settings among the rules."""
    return f"{TEAM_PREFIX}{team}"


def pause_rule(run_id: str) -> str:
    """Name of a run's pause among the rules."""
    return f"{PAUSED_PREFIX}{run_id}"


def active_key(work: WorkKey) -> Key:
    """A line of the active list."""
    return key(ACTIVE, f"{work.run_id}#{work.work_id}")


def history_partition(job: JobKey) -> str:
    """The history of a job's tests. A variant may be long and hold anything, so it is digested."""
    return f"HISTORY#{job.team}#{job.suite}#{job.test}#{_digest(job.variant)}"


def history_page_key(job: JobKey, page: str) -> Key:
    """The tests of a job whose ids begin with two digits."""
    return key(history_partition(job), f"{PAGE_PREFIX}{page}")


def jobs_partition(team: str) -> str:
    """Jobs that have a history, and their tests that are not well."""
    return f"JOBS#{team}"


def job_key(job: JobKey) -> Key:
    """A job that has a history."""
    return key(jobs_partition(job.team), f"{JOB_PREFIX}{job.suite}#{job.test}#{_digest(job.variant)}")


def unwell_key(job: JobKey, page: str) -> Key:
    """The tests of a page whose monitors have an alarm."""
    place = f"{job.suite}#{job.test}#{_digest(job.variant)}#{page}"
    return key(jobs_partition(job.team), f"{UNWELL_PREFIX}{place}")


def quarantine_partition(team: str) -> str:
    """A team's quarantines."""
    return f"QUARANTINE#{team}"


def quarantine_key(team: str, suite: str, test: str, name: str) -> Key:
    """A quarantined test. Its name may be longer than a key, so it is digested."""
    return key(quarantine_partition(team), f"{suite}#{test}#{_digest(name)}")


def _digest(text: str) -> str:
    return digest_bytes(text.encode()).removeprefix("sha256:")[:_DIGEST_CHARACTERS]


def term_key() -> Key:
    """The scheduler's lease and fence: every admission checks it."""
    return key("SCHEDULER", "TERM")


def wakeups_key() -> Key:
    """The wake-up counter: an item of its own, so that counting does not collide with admissions."""
    return key("SCHEDULER", "WAKEUPS")
