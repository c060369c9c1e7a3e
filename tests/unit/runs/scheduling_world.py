"""A control plane with slots and two runs, and their tickets."""

from crosswind.runs.usecases.scheduling import Admission
from tests.fakes import (
    START,
    make_run,
    make_ticket,
)
from tests.unit.runs.world import World


def world_with(*, slots: int = 10) -> World:
    world = World()
    world.queue.register_slots(slots)
    world.runs.create(make_run(1), idempotency=None)
    world.runs.create(make_run(2), idempotency=None)
    return world


def tickets(count: int, *, run: int = 1, concurrency: int = 100) -> list[Admission]:
    made = (make_ticket(index, run=run, concurrency=concurrency) for index in range(count))
    return [Admission(ticket, f"token-{run}-{ticket.work_id}", START) for ticket in made]
