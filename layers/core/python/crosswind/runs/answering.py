"""What the task token of leased work is told: the end, or the announcement that it waits for (ADR 0002)."""

from crosswind.contracts.work import Announcement, WorkAnswer, WorkOutcome
from crosswind.kernel.clock import to_iso
from crosswind.runs.effects import AnswerToken, Effect
from crosswind.runs.model import Announced, Work


def answer_of(work: Work) -> WorkAnswer:
    """What a task token is told: the end, or the announcement that it waits for. Raises ValueError where there is neither."""
    announced = awaited(work)
    if work.commit is None and announced is not None and work.awaits is not None:
        return WorkAnswer(
            run_id=work.key.run_id,
            work_id=work.key.work_id,
            outcome=WorkOutcome.ANNOUNCED,
            attempt=work.attempt,
            epoch=work.epoch,
            announcement=Announcement(
                number=work.awaits, name=announced.name, detail=announced.detail, at=to_iso(announced.at)
            ),
        )
    if work.commit is None:
        raise ValueError(f"{work.key} is not done")
    return WorkAnswer(
        run_id=work.key.run_id,
        work_id=work.key.work_id,
        outcome=work.commit.outcome,
        attempt=work.commit.attempt,
        epoch=work.commit.epoch,
        reason=work.commit.reason,
    )


def answers(work: Work) -> tuple[Effect, ...]:
    """The answer to the current token, where there is one to give."""
    if not work.token or (work.commit is None and awaited(work) is None):
        return ()
    return (AnswerToken(work.token, answer_of(work)),)


def awaited(work: Work) -> Announced | None:
    """The announcement that the current token waits for, where it was made."""
    if work.awaits is None or work.awaits > len(work.announcements):
        return None
    return work.announcements[work.awaits - 1]
