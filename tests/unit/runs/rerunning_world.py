"""A world in which runs can be run again."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from crosswind.contracts.permissions import Guard
from crosswind.contracts.requests import RerunAccepted, RerunRequest, VerdictKind
from crosswind.contracts.statuses import CaseStatus
from crosswind.contracts.tasks import PlanOutcome
from crosswind.contracts.work import Ticket
from crosswind.platform.access import decide
from crosswind.runs.model import Case
from crosswind.runs.usecases import documents
from crosswind.runs.usecases.reading import FindRun
from crosswind.runs.usecases.rerunning import RerunRun
from tests.fakes import CountingIds, MemoryExecutions, MemoryQueues
from tests.unit.runs.results_world import RUN, World, job, junit
from tests.unit.runs.world import ADA

AGAIN = RerunRequest()


@dataclass
class Rounds(World):
    """A world in which runs can be run again: `tickets` are those of the present round."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.queues = MemoryQueues()
        self.executions = MemoryExecutions()
        self.find = FindRun(self.runs, Guard(decide))
        self.request = RerunRun(
            runs=self.runs,
            works=self.works,
            artifacts=self.artifacts,
            queue=self.works.queue,
            queues=self.queues,
            executions=self.executions,
            find=self.find,
            refuse_when_full=lambda: None,
            clock=self.clock,
            ids=CountingIds(),
            records_last=timedelta(days=30),
        )

    def begin(self, *ids: str, stages: tuple[Any, ...] = (), **changes: Any) -> None:
        """A planned run of one job in two shards, or of the given jobs."""
        self.submit(*(stages or (job(**changes),)))
        self.prepare(*ids)
        assert self.plan(RUN).outcome is PlanOutcome.PROCEED

    def tickets(self) -> list[Ticket]:
        plan = documents.read_round(self.artifacts, self.runs.get(RUN))
        assert plan is not None
        keys = [stage.tickets_key for stage in plan.stages if stage.shards]
        return [ticket for key in keys for ticket in documents.read_tickets(self.artifacts, key)]

    def end(self) -> tuple[VerdictKind, str]:
        """What the state machine does once all shards are answered."""
        self.ingest_all()
        return self.verdict()

    def rerun(self, request: RerunRequest = AGAIN) -> RerunAccepted:
        """Ask for a rerun, and let the new execution's PlanRun go."""
        accepted = self.request(RUN, request, actor=ADA)
        assert self.plan(RUN).outcome is PlanOutcome.PROCEED
        return accepted

    def selections(self) -> list[tuple[str, ...] | None]:
        """The tests that each shard of the present round is given."""
        return [documents.read_order_of(self.artifacts, ticket).selection for ticket in self.tickets()]

    def cases(self) -> dict[str, Case]:
        index = documents.read_index(self.artifacts, RUN)
        assert index is not None
        rows = documents.read_rows(self.artifacts, RUN, index, first=0)
        return {case.name.removeprefix("t.py::"): case for case in rows}

    def statuses(self) -> dict[str, CaseStatus]:
        return {name: case.status for name, case in self.cases().items()}

    def with_failures(self) -> "Rounds":
        """Of a, b, c and d in two shards, b and d have failed."""
        self.begin("a", "b", "c", "d")
        self.run_shard(0, junit("a", "b!"), exit_code=1)
        self.run_shard(1, junit("c", "d!"), exit_code=1)
        assert self.end()[0] is VerdictKind.FAILED
        return self
