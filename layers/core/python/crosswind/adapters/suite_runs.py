"""Runs of suites, as the chaos area accompanies them: the runs area's rules behind a port of the chaos area."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from crosswind.chaos.beside import BesideNews, StageBeside
from crosswind.contracts.chaos.lifecycle import RunState as ExperimentState
from crosswind.contracts.requests import RunState
from crosswind.kernel.clock import Clock
from crosswind.kernel.errors import NotFoundError
from crosswind.kernel.retry import Pause
from crosswind.runs import beside
from crosswind.runs.model import Beside, Run
from crosswind.runs.ports import RunStore
from crosswind.runs.usecases import documents

_REASON_CHARACTERS = 1000


@dataclass(frozen=True)
class StoredSuiteRuns:
    """Over the runs' records."""

    runs: RunStore
    clock: Clock
    pause: Pause

    def stages(self, run_id: str) -> Sequence[StageBeside]:
        try:
            run = self.runs.get(run_id)
        except NotFoundError:
            return ()
        return tuple(self._stage(run, each) for each in run.beside if not beside.is_settled(each))

    def tell(self, stage: StageBeside, news: BesideNews) -> StageBeside:
        def noted(run: Run) -> Run:
            record = _record(run, stage)
            if record.state is ExperimentState.ANALYZED:
                return run  # nothing comes after; whoever read earlier and writes later changes nothing
            told = replace(
                record,
                experiment_run=record.experiment_run or news.experiment_run,
                state=news.state,
                verdict=news.verdict,
                reason=news.reason[:_REASON_CHARACTERS] if news.reason else None,
                refused=news.experiment_run is None and record.experiment_run is None,
                injected_at=news.injected_at,
                removed_at=news.removed_at,
            )
            return beside.with_record(run, told)

        run = documents.change_run(self.runs, stage.run_id, noted, pause=self.pause)
        return self._stage(run, _record(run, stage))

    def _stage(self, run: Run, record: Beside) -> StageBeside:
        is_over = (
            record.ended_at is not None
            or record.round != run.round
            or run.state is RunState.FINISHED
            or run.cancel_requested_at is not None
        )
        return StageBeside(
            run_id=run.run_id,
            team=run.team,
            stage=record.stage,
            name=beside.stage_name(run, record.stage),
            round=record.round,
            experiment=record.experiment,
            parameters=record.parameters,
            actor=run.actor,
            issuer=run.issuer,
            experiment_run=record.experiment_run,
            is_due=not is_over and beside.is_due(record, self.clock.now()),
            is_over=is_over,
        )


def _record(run: Run, stage: StageBeside) -> Beside:
    return next(each for each in run.beside if (each.stage, each.round) == (stage.stage, stage.round))
