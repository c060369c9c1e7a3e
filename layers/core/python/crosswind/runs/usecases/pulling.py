"""What runners do with a work list, and how a batch comes back from one that is gone (ADR 0002).

A shard that pulls holds at most one batch at a time, under its own lease: it leases one, runs it, uploads, commits it,
and leases the next; when nothing is left to lease it commits itself. Each call acts under the epoch of the work that it
is given and may be repeated when its answer was lost.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from crosswind.contracts.work import PullList, PullRef
from crosswind.kernel.errors import CrosswindError, LeaseLostError, WriteConflictError
from crosswind.kernel.retry import Pause, retry_conflicts
from crosswind.runs.model import Work, WorkKey
from crosswind.runs.ports import ObjectStore, WorkStore
from crosswind.runs.pulling import batches
from crosswind.runs.pulling.model import Batch, BatchState
from crosswind.runs.pulling.ports import PullStore
from crosswind.runs.pulling.shortfall import PullShortfall
from crosswind.runs.pulling.worklist import WorkList

LARGEST_LIST = 128 * 1024 * 1024
LEASE_TRIES = 20
"""Runners that meet at one head get through one by one."""

NEIGHBOURS = 20
"""Batches of other shards that a runner without work looks at. The watchdog looks at all."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class OpenWorkList:
    """Read the list of a pull shard's order. Once per attempt: it never changes."""

    artifacts: ObjectStore

    def __call__(self, ref: PullRef) -> WorkList:
        """Raises NotFoundError, and TooLargeError above LARGEST_LIST."""
        data = self.artifacts.get(ref.key, limit_bytes=LARGEST_LIST)
        return WorkList.of(PullList.model_validate_json(data))


@dataclass(frozen=True)
class TakeBack:
    """Take one lapsed batch from its holder: it returns to its list, or is given up when it cost too many runners."""

    pulls: PullStore

    def __call__(self, batch: Batch, holder: Work) -> bool:
        """Whether it was done here. The batch may be where it belongs by now: then there is nothing to do.

        Raises WriteConflictError when the head has moved.
        """
        if self.pulls.held(batch.run_id, batch.pull_id, batch.work_id) != batch:
            return False
        taken = batches.take_back(batch, holder)
        if taken.state is BatchState.LOST:
            _log.warning("gave up %s: it lost %d runners", _name(batch), taken.losses)
            self.pulls.give_up(taken)
        else:
            (head,) = self.pulls.heads(batch.run_id, batch.pull_id, stripes=(batch.stripe,))
            self.pulls.give_back(batches.with_returned(head, taken), taken)
        return True


@dataclass(frozen=True)
class ReturnLapsed:
    """Bring back the batches of lists whose holders are no longer leased under the epoch of the batch."""

    pulls: PullStore
    works: WorkStore
    pause: Pause

    def __call__(self, run_id: str, pull_ids: Iterable[str]) -> int:
        """How many came back. One that fails is logged and left to the next turn."""
        return sum(self._of(list(self.pulls.leased(run_id, pull_id))) for pull_id in pull_ids)

    def near(self, holder: Work, pull_id: str) -> int:
        """The same for the first few of a list, for a runner that found nothing else to do."""
        leased = self.pulls.leased(holder.key.run_id, pull_id, limit=NEIGHBOURS)
        return self._of([batch for batch in leased if batch.work_id != holder.key.work_id])

    def _of(self, leased: Sequence[Batch]) -> int:
        # The batches were read first: what a later read says of their holders cannot be older than the lease.
        works = self.works.get_many([_holder_key(batch) for batch in leased])
        holders = {work.key: work for work in works}
        returned = 0
        for batch in leased:
            holder = holders.get(_holder_key(batch))
            if holder is not None and batches.lapsed(batch, holder):
                returned += self._take_back(batch, holder)
        return returned

    def _take_back(self, batch: Batch, holder: Work) -> bool:
        try:
            return retry_conflicts(lambda: TakeBack(self.pulls)(batch, holder), pause=self.pause)
        except CrosswindError:
            _log.exception("%s could not be taken back", _name(batch))
            return False


@dataclass(frozen=True)
class LeaseBatch:
    """Lease what a shard is to run next."""

    pulls: PullStore
    works: WorkStore
    pause: Pause

    def __call__(self, work: Work, work_list: WorkList) -> Batch | None:
        """The batch, again the same one while it is not committed; None when nothing is left to lease.

        Then the shard is to end: batches that others hold are theirs, and come back to their own next attempt.

        Raises:
            LeaseLostError: stop, upload nothing more.
            WriteConflictError: other runners won every time.
        """
        return retry_conflicts(lambda: self._lease(work, work_list), pause=self.pause, tries=LEASE_TRIES)

    def _lease(self, work: Work, work_list: WorkList) -> Batch | None:
        run_id, pull_id = work.key.run_id, work_list.pull_id
        held = self.pulls.held(run_id, pull_id, work.key.work_id)
        if held is not None and held.epoch == work.epoch:
            return held
        if held is not None:
            self._take_over(held, work)
        home, *others = work_list.order_of_stripes(work)
        for stripes in ([home], others):
            heads = self.pulls.heads(run_id, pull_id, stripes=stripes)
            chosen = work_list.next_batch(heads, work)
            if chosen is not None:
                head, batch = chosen
                self.pulls.lease(head, batch, holder=work)
                return batch
        if ReturnLapsed(self.pulls, self.works, self.pause).near(work, pull_id):
            raise WriteConflictError("a batch has just come back")
        return None

    def _take_over(self, left: Batch, work: Work) -> None:
        """An earlier attempt of this shard left a batch; it comes back as any other does."""
        if not batches.lapsed(left, work):
            raise LeaseLostError(f"{work.key.work_id} is leased under epoch {left.epoch}, not {work.epoch}")
        TakeBack(self.pulls)(left, work)


@dataclass(frozen=True)
class CommitBatch:
    """End a batch whose reports are uploaded under `layout.batch_prefix(batch)`."""

    pulls: PullStore

    def __call__(self, work: Work, batch: Batch, *, failed: Sequence[str] = ()) -> Batch:
        """The committed batch; the one committed first where the call is repeated.

        `failed` names tests that may run again when everything else is done; they are kept for a later attempt.
        Raises LeaseLostError: the upload does not count, stop.
        """
        return self.pulls.commit(batches.commit(batch, failed), holder=work)


@dataclass(frozen=True)
class ReturnBatch:
    """Let go of what a shard held when its runner has given the shard itself back, so that others need not wait."""

    pulls: PullStore
    works: WorkStore
    pause: Pause

    def __call__(self, work: Work) -> None:
        """Best effort, after HandBack or FailAttempt: what fails here the watchdog does at its next turn."""
        if work.pull_id is None:
            return
        try:
            retry_conflicts(lambda: self._return(work, str(work.pull_id)), pause=self.pause)
        except CrosswindError:
            _log.exception("the batch of %s of %s was not returned", work.key.work_id, work.key.run_id)

    def _return(self, work: Work, pull_id: str) -> None:
        held = self.pulls.held(work.key.run_id, pull_id, work.key.work_id)
        holder = self.works.get(work.key)
        if held is not None and holder is not None and batches.lapsed(held, holder):
            TakeBack(self.pulls)(held, holder)


@dataclass(frozen=True)
class CommittedBatches:
    """What a pull shard has done over all its attempts: evidence, also when the shard itself was given up."""

    pulls: PullStore

    def __call__(self, run_id: str, pull_id: str, work_id: str) -> tuple[Batch, ...]:
        """By stripe and number."""
        return tuple(self.pulls.committed(run_id, pull_id, work_id))


@dataclass(frozen=True)
class MeasureShortfall:
    """Whether a list was worked off, and where the rest is: nothing is green by absence."""

    pulls: PullStore

    def __call__(self, run_id: str, work_list: WorkList) -> PullShortfall:
        """Exact once the list's shards are done."""
        pull_id = work_list.pull_id
        heads = self.pulls.heads(run_id, pull_id, stripes=range(len(work_list.stripes)))
        sizes = [len(units) for units in work_list.stripes]
        return PullShortfall(
            not_given_out=sum(size - head.next_unit for size, head in zip(sizes, heads, strict=True)),
            returned=sum(back.count for head in heads for back in head.returned),
            leased=sum(batch.count for batch in self.pulls.leased(run_id, pull_id)),
            lost=sum(batch.count for batch in self.pulls.lost(run_id, pull_id)),
        )


@dataclass(frozen=True)
class TellShortfall:
    """What of a list was not done, as a sentence for the verdict."""

    open_list: OpenWorkList
    measure: MeasureShortfall

    def __call__(self, run_id: str, ref: PullRef) -> str | None:
        """None when every unit was done. Raises NotFoundError, TooLargeError."""
        return self.measure(run_id, self.open_list(ref)).sentence()


def _holder_key(batch: Batch) -> WorkKey:
    return WorkKey(batch.run_id, batch.work_id)


def _name(batch: Batch) -> str:
    return f"batch {batch.stripe}/{batch.number} of {batch.pull_id} in {batch.run_id}"
