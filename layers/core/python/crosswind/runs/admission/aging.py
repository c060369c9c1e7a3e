"""Aging: who waits long enough goes before everything that came later, whatever the priorities.

Each `aging` waited raises an entry by one class, without an end above P0. So at most (class + 1) limits after an
entry was enqueued the door behind it is shut: nothing that is enqueued from then on is ever admitted before it.
"""

from datetime import datetime, timedelta

from crosswind.contracts.suites import Priority
from crosswind.runs.admission.model import QueueEntry

CLASSES = {Priority.P0: 0, Priority.P1: 1, Priority.P2: 2}
_NOT_AT_ALL = timedelta(0)


def limits_waited(entry: QueueEntry, *, now: datetime, aging: timedelta) -> int:
    """By how many classes the entry's wait has raised it. Clocks that disagree lower nobody."""
    return max(_NOT_AT_ALL, now - entry.enqueued_at) // aging


def class_of(entry: QueueEntry, *, now: datetime, aging: timedelta) -> int:
    """0 for P0, 1 for P1, 2 for P2, less one for each limit waited. The lowest class goes first."""
    return CLASSES[entry.priority] - limits_waited(entry, now=now, aging=aging)


def overtakable_until(entry: QueueEntry, *, aging: timedelta) -> datetime:
    """What is enqueued from this moment on, by whomever and however urgent, is never admitted before the entry.

    From here the entry also stands above P0: room that it lacks is kept for it (`starving`).
    """
    return entry.enqueued_at + aging * (CLASSES[entry.priority] + 1)


def starving(entry: QueueEntry, *, now: datetime, aging: timedelta) -> bool:
    """Whether the entry has waited until nothing new may overtake it any more."""
    return class_of(entry, now=now, aging=aging) < 0
