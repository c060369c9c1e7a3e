"""What the samples of a run say: of each probe in each phase and step, of the guards, and of the way back. Pure.

A guard is breached by one sample out of tolerance, or when it was out of tolerance for its `breachedFor`. What cannot be
measured is no reason to go on: three unknown samples in a row breach a guard, too.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from crosswind.contracts.chaos.monitoring import ProbeSummary, Sample, SampleStatus
from crosswind.contracts.chaos.probes import Phase, Probe
from crosswind.contracts.chaos.spec import Guard
from crosswind.contracts.suites import duration_seconds
from crosswind.kernel.clock import from_iso

UNKNOWN_IN_A_ROW = 3
SETTLED_SAMPLES = 3  # in a row and within, of every probe, for the steady state to be back


@dataclass(frozen=True, slots=True)
class Breach:
    """A guard that was breached, and when the sample was taken that made it so."""

    guard: str
    at: datetime
    reason: str


@dataclass
class _Series:
    """The samples of one probe in one phase and step, as far as they are needed."""

    probe: Probe
    guard: bool
    phase: Phase
    step: int
    samples: int = 0
    within: int = 0
    unknown: int = 0
    first_outside: Sample | None = None
    recent: deque[tuple[datetime, bool]] = field(default_factory=deque)

    def add(self, sample: Sample) -> None:
        self.samples += 1
        self.within += sample.status is SampleStatus.WITHIN
        self.unknown += sample.status is SampleStatus.UNKNOWN
        if sample.status is not SampleStatus.WITHIN and self.first_outside is None:
            self.first_outside = sample
        if self.probe.window is not None:
            at = from_iso(sample.at)
            self.recent.append((at, sample.status is SampleStatus.WITHIN))
            reach = at - timedelta(seconds=duration_seconds(self.probe.window))
            while self.recent[0][0] < reach:
                self.recent.popleft()

    @property
    def ratio(self) -> float:
        """Of its window, or of all samples; nothing measured is nothing within."""
        if self.probe.window is not None:
            return sum(good for _, good in self.recent) / len(self.recent) if self.recent else 0.0
        return self.within / self.samples if self.samples else 0.0

    def summary(self) -> ProbeSummary:
        return ProbeSummary(
            probe=self.probe.name,
            guard=self.guard,
            phase=self.phase,
            step=self.step,
            samples=self.samples,
            within=self.within,
            unknown=self.unknown,
            ratio=round(self.ratio, 4),
            required=self.probe.ratio,
            held=self.samples > 0 and self.ratio >= self.probe.ratio,
            worst=_sentence(self.first_outside) if self.first_outside else None,
        )


class Observations:
    """All samples of a run, taken in as they come."""

    def __init__(self, probes: Sequence[Probe], guards: Sequence[Guard]) -> None:
        self._probes = {probe.name: probe for probe in probes}
        self._guards = {guard.name: guard for guard in guards}
        self._series: dict[tuple[str, bool, Phase, int], _Series] = {}
        self._outside_since: dict[str, datetime] = {}
        self._unknown_in_a_row: dict[str, int] = {}
        self._streaks: dict[str, list[datetime]] = {}
        self._newest: dict[str, Sample] = {}
        self._over: dict[int, datetime] = {}
        self.breach: Breach | None = None
        self.deviated_at: datetime | None = None

    def add(self, sample: Sample) -> None:
        """Take a sample in. Of a guard it carries the guard's name."""
        at = from_iso(sample.at)
        over = self._over.get(sample.step)
        late = sample.phase is Phase.DURING and over is not None and at > over
        if not late:
            self._series_of(sample).add(sample)
        if sample.guard:
            self._watch_guard(sample, at)
            return
        if late:
            return
        if (
            sample.phase is Phase.DURING
            and sample.status is SampleStatus.OUTSIDE
            and self.deviated_at is None
        ):
            self.deviated_at = at
        if sample.phase is Phase.AFTER:
            streak = self._streaks.setdefault(sample.probe, [])
            if sample.status is SampleStatus.WITHIN:
                streak.append(at)
            else:
                streak.clear()

    def end_step(self, step: int, at: datetime) -> None:
        """From then on its faults are being undone: what is measured says nothing of how they were borne. Guards watch on."""
        self._over.setdefault(step, at)

    def held(self, phase: Phase, step: int = 0) -> bool:
        """Whether every probe of the phase held, each measured at least once."""
        wanted = [probe for probe in self._probes.values() if phase in probe.phases]
        return all(
            (series := self._series.get((probe.name, False, phase, step))) is not None
            and series.summary().held
            for probe in wanted
        )

    def faults(self, phase: Phase, step: int = 0) -> tuple[str, ...]:
        """Why the phase did not hold, a sentence for each probe."""
        return tuple(self._faults(phase, step))

    def guards_amiss(self) -> tuple[str, ...]:
        """Why nothing may go in: of each guard that is taken before, the newest sample has to be within."""
        newest = (
            (name, self._newest.get(name))
            for name, guard in self._guards.items()
            if Phase.BEFORE in guard.probe.phases
        )
        return tuple(
            f"guard {_sentence(sample)}" if sample else f"guard {name} was not measured"
            for name, sample in newest
            if sample is None or sample.status is not SampleStatus.WITHIN
        )

    def steady_again_at(self) -> datetime | None:
        """Since when every probe has been within after the undoing, for at least SETTLED_SAMPLES samples."""
        wanted = [probe.name for probe in self._probes.values() if Phase.AFTER in probe.phases]
        streaks = [self._streaks.get(name, []) for name in wanted]
        needed = [1 if self._probes[name].type == "suite" else SETTLED_SAMPLES for name in wanted]
        if not streaks or any(len(streak) < least for streak, least in zip(streaks, needed, strict=True)):
            return None
        return max(streak[0] for streak in streaks)

    def summaries(self) -> tuple[ProbeSummary, ...]:
        """In the order in which they began."""
        return tuple(series.summary() for series in self._series.values())

    def _series_of(self, sample: Sample) -> _Series:
        key = (sample.probe, sample.guard, sample.phase, sample.step)
        if key not in self._series:
            probe = self._guards[sample.probe].probe if sample.guard else self._probes[sample.probe]
            self._series[key] = _Series(
                probe.model_copy(update={"name": sample.probe}), sample.guard, sample.phase, sample.step
            )
        return self._series[key]

    def _watch_guard(self, sample: Sample, at: datetime) -> None:
        guard = self._guards[sample.probe]
        self._newest[guard.name] = sample
        if sample.status is SampleStatus.WITHIN:
            self._outside_since.pop(guard.name, None)
            self._unknown_in_a_row.pop(guard.name, None)
            return
        if sample.phase is not Phase.DURING or self.breach is not None:
            return
        since = self._outside_since.setdefault(guard.name, at)
        lasting = duration_seconds(guard.breached_for) if guard.breached_for else 0.0
        if sample.status is SampleStatus.UNKNOWN:
            in_a_row = self._unknown_in_a_row.get(guard.name, 0) + 1
            self._unknown_in_a_row[guard.name] = in_a_row
            if in_a_row < UNKNOWN_IN_A_ROW:
                return
        else:
            self._unknown_in_a_row.pop(guard.name, None)
        if (at - since).total_seconds() >= lasting:
            self.breach = Breach(guard.name, at, _sentence(sample))

    def _faults(self, phase: Phase, step: int) -> Iterator[str]:
        for probe in self._probes.values():
            if phase not in probe.phases:
                continue
            series = self._series.get((probe.name, False, phase, step))
            if series is None or series.samples == 0:
                yield f"{probe.name} was not measured"
            elif not (summary := series.summary()).held:
                yield (
                    f"{probe.name} was within tolerance in {summary.within} of {summary.samples} samples "
                    f"({summary.ratio:.0%}, {summary.required:.0%} are required); first: {summary.worst}"
                )


def observe(probes: Sequence[Probe], guards: Sequence[Guard], samples: Iterable[Sample]) -> Observations:
    """What samples that were stored say, read again in their order."""
    observations = Observations(probes, guards)
    for sample in samples:
        observations.add(sample)
    return observations


def _sentence(sample: Sample) -> str:
    what = "could not be measured" if sample.status is SampleStatus.UNKNOWN else "out of tolerance"
    return f"{sample.probe} {what}: {sample.detail}"[:500] if sample.detail else f"{sample.probe} {what}"
