"""Keys of the items in the chaos table. The facts' are in fact_store; docs/data-model.md shows what is written when."""

from datetime import datetime

from crosswind.adapters.aws.keys import Key, key, team_partition
from crosswind.kernel.clock import to_iso
from crosswind.kernel.json import digest_bytes

DUE = "due"  # sparse index of definitions: dueKey, dueAt
DUE_KEY = "DUE"
RUN = "RUN"
COUNTER = "COUNTER"
EXPERIMENT_PREFIX = "EXPERIMENT#"
INJECTION_PREFIX = "INJECTION#"
TIMELINE_PREFIX = "TIMELINE#"
DECISION_PREFIX = "DECISION#"


def experiment_key(team: str, name: str) -> Key:
    """A definition with its newest revision."""
    return key(team_partition(team), f"{EXPERIMENT_PREFIX}{name}")


def revisions_partition(team: str, name: str) -> str:
    """Every content that a definition ever had, also behind its deletion."""
    return f"REVISIONS#{team}#{name}"


def revision_key(team: str, name: str, number: int) -> Key:
    """One content of a definition."""
    return key(revisions_partition(team, name), f"{number:08d}")


def due_order(at: datetime, team: str, name: str) -> str:
    """Order of definitions in the index of what is due."""
    return f"{to_iso(at)}#{team}#{name}"


def waiting_key(event_type: str) -> str:
    """Partition, in the sparse index of unfinished runs, of definitions that start on an event."""
    return f"ON#{event_type}"


def run_partition(run_id: str) -> str:
    """A run, its injections, decisions and timeline lie together."""
    return f"RUN#{run_id}"


def run_key(run_id: str) -> Key:
    """A run's record."""
    return key(run_partition(run_id), RUN)


def counter_key(run_id: str) -> Key:
    """Gives the lines of a run's timeline their numbers: apart, so that counting collides with no move."""
    return key(run_partition(run_id), COUNTER)


def injection_key(run_id: str, step: int, fault: str) -> Key:
    """One fault in one step."""
    return key(run_partition(run_id), f"{INJECTION_PREFIX}{step:04d}#{fault}")


def line_order(at: datetime, number: int) -> str:
    """Order of a timeline's lines."""
    return f"{to_iso(at)}#{number:08d}"


def hold_key(target_id: str) -> Key:
    """Who has a target. Its id may be longer than a key, so it is digested."""
    return key(f"HOLD#{digest_bytes(target_id.encode())}", "HOLD")
