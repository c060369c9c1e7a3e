"""What stands around the engine: its monitor, its gate, its dead man, its messages, and whoever is told."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from crosswind.chaos.model import ExperimentRun
from crosswind.chaos.ports import MonitorState
from crosswind.chaos.usecases.gating import Asking
from crosswind.contracts.chaos.gate import CheckName, CheckStatus, GateCheck, GateDecision, GateOutcome
from crosswind.contracts.chaos.monitoring import MONITOR_WORK_ID
from crosswind.contracts.chaos.tasks import ExperimentInput
from crosswind.contracts.work import Announcement, Ticket, WorkAnswer, WorkOutcome
from crosswind.kernel.clock import to_iso
from crosswind.kernel.errors import DependencyError
from tests.fakes import SettableClock

RUN_ID = "exp-" + "0" * 26
LEASE = timedelta(seconds=30)


@dataclass
class FakeMonitor:
    """One run's monitor as the shard protocol keeps it: enqueued, leased, announcing, done."""

    clock: SettableClock
    enqueued: bool = False
    leased: bool = False
    expires_at: datetime | None = None
    announced: list[tuple[str, datetime]] = field(default_factory=list)
    ended_as: str | None = None
    ended_at: datetime | None = None
    reason: str | None = None
    awaits: int | None = None
    token: int = 0  # the newest one; those before it are never answered
    answers: dict[int, WorkAnswer] = field(default_factory=dict)

    def enqueue(self, ticket: Ticket) -> int:
        """The ticket of a wait. Returns its token."""
        self.enqueued, self.awaits = True, ticket.awaits
        self.token += 1
        self._answer()
        return self.token

    def lease(self) -> None:
        if self.enqueued and self.ended_as is None:
            self.leased = True
            self.beat()

    def beat(self) -> None:
        self.expires_at = self.clock.now() + LEASE

    def announce(self, name: str) -> None:
        if self.leased and self.ended_as is None:
            self.announced.append((name, self.clock.now()))
            self.beat()
            self._answer()

    def end(self, outcome: str, reason: str | None = None) -> None:
        if self.enqueued and self.ended_as is None:
            self.leased, self.ended_as, self.ended_at, self.reason = False, outcome, self.clock.now(), reason
            self._answer()

    def _answer(self) -> None:
        """Answer the newest token where what it waits for is there."""
        if self.token == 0 or self.token in self.answers:
            return
        told = None
        outcome = WorkOutcome(self.ended_as) if self.ended_as else None
        if outcome is None and self.awaits is not None and len(self.announced) >= self.awaits:
            name, at = self.announced[self.awaits - 1]
            told = Announcement(number=self.awaits, name=name, at=to_iso(at))
            outcome = WorkOutcome.ANNOUNCED
        if outcome is not None:
            self.answers[self.token] = WorkAnswer(
                run_id=RUN_ID,
                work_id=MONITOR_WORK_ID,
                outcome=outcome,
                attempt=1,
                epoch=1,
                reason=self.reason,
                announcement=told,
            )

    # --- the port -----------------------------------------------------------------------------------------------

    def state(self, run_id: str) -> MonitorState | None:
        if not self.enqueued:
            return None
        last = self.announced[-1][1] if self.announced else None
        return MonitorState(
            leased=self.leased,
            done=self.ended_as is not None,
            last_beat_expires_at=self.expires_at,
            announcements=tuple(name for name, _ in self.announced),
            ended_as=self.ended_as,
            moved_at=self.ended_at or last,
            reason=self.reason,
            epoch=1,
        )

    def watch(self, run_id: str) -> MonitorState | None:
        if self.leased and self.expires_at is not None and self.clock.now() >= self.expires_at:
            self.end("error", "lease_lost")
        return self.state(run_id)

    def cancel(self, run_id: str, *, reason: str) -> None:
        self.end("cancelled", reason)


@dataclass
class FakeGate:
    """Says what it is told to say."""

    clock: SettableClock
    outcome: GateOutcome = GateOutcome.PROCEED
    unavailable: bool = False
    asked: list[Asking] = field(default_factory=list)

    def __call__(self, asking: Asking) -> GateDecision:
        self.asked.append(asking)
        if self.unavailable:
            raise DependencyError("the decision could not be kept")
        now = self.clock.now()
        unknown = asking.resolved is None
        outcome = GateOutcome.POSTPONE if unknown and self.outcome is GateOutcome.PROCEED else self.outcome
        until = to_iso(now + timedelta(minutes=5)) if outcome is GateOutcome.POSTPONE else None
        return GateDecision(
            outcome=outcome,
            until=until,
            reason=asking.unresolved or f"told to {outcome.value}",
            moment=asking.moment,
            step=asking.step,
            decided_at=to_iso(now),
            policy_version="sha256:0",
            checks=(
                GateCheck(
                    name=CheckName.HALT,
                    status=CheckStatus.PASS,
                    reason="released",
                    source="crosswind",
                    observed_at=to_iso(now),
                    ttl_seconds=120,
                ),
            ),
        )


@dataclass
class FakeDeadMan:
    """Remembers what is armed."""

    armed: datetime | None = None
    wakes: list[datetime] = field(default_factory=list)

    def arm(self, run_id: str, *, at: datetime) -> None:
        self.armed = at

    def disarm(self, run_id: str) -> None:
        self.armed = None

    def wake(self, run_id: str, *, at: datetime) -> None:
        self.wakes.append(at)


@dataclass
class FakeQueues:
    """Remembers what was sent."""

    sent: list[tuple[str, int]] = field(default_factory=list)

    def watch(self, run_id: str, *, delay_seconds: int) -> None:
        self.sent.append((run_id, delay_seconds))


@dataclass
class FakeEngine:
    """Remembers which executions were started, each name once."""

    started: list[str] = field(default_factory=list)

    def start(self, name: str, payload: ExperimentInput) -> None:
        if name not in self.started:
            self.started.append(name)


@dataclass
class FakeNotifier:
    """Remembers what was told to whom."""

    told: list[tuple[str, str, tuple[str, ...]]] = field(default_factory=list)

    def notify(
        self, run: ExperimentRun, occasion: str, text: str, *, webhooks: Sequence[str]
    ) -> tuple[str, ...]:
        self.told.append((occasion, text, tuple(webhooks)))
        return ()
