"""Taking one measurement: which probe is taken by whom, and what a sample says of it."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from crosswind.chaos.tolerance import Judge, shown
from crosswind.contracts.chaos.monitoring import Sample, SampleStatus
from crosswind.contracts.chaos.probes import Phase, Probe, SuiteProbe, Tolerance
from crosswind.kernel.clock import Clock, to_iso
from crosswind.kernel.errors import CrosswindError

_LONGEST_TEXT = 200


class UnmeasurableError(Exception):
    """Nothing is known of the value: no answer, no permission, no such thing. Says nothing about the system."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A value, and whether the probe itself calls it well where nobody told a tolerance.

    A tuple stands for several values, each of which has to be tolerated.
    """

    value: Any
    well: bool = True
    detail: str | None = None


Take = Callable[[Any], Measured]
"""Takes one kind of probe, within the probe's own time limit. Raises UnmeasurableError or a CrosswindError."""


TakeSuite = Callable[[SuiteProbe, Phase, int], Measured]
"""Takes the verdict of the suite that the engine runs for a probe in this phase and step."""


@dataclass(frozen=True)
class Prober:
    """Takes any probe that it has a taker for; one that it has none for is unknown, never well."""

    takers: Mapping[str, Take]
    judge: Judge
    clock: Clock
    suites: TakeSuite

    def sample(self, probe: Probe, *, name: str, guard: bool, phase: Phase, step: int) -> Sample:
        """One sample. Never raises: what goes wrong makes it unknown."""
        at, began = self.clock.now(), time.monotonic()
        value: Any = None
        try:
            measured = self._take(probe, phase, step)
            value = measured.value
            status, detail = self._status(measured, probe.tolerance)
        except (UnmeasurableError, CrosswindError) as reason:
            status, detail = SampleStatus.UNKNOWN, str(reason)
        except Exception as error:  # noqa: BLE001  # a probe must not end the monitor, and what is odd is unknown
            status, detail = SampleStatus.UNKNOWN, f"{type(error).__name__}: {error}"
        return Sample(
            probe=name,
            guard=guard,
            phase=phase,
            step=step,
            at=to_iso(at),
            status=status,
            value=_stored(value),
            detail=detail[:500] if detail else None,
            latency_ms=round((time.monotonic() - began) * 1000, 1),
        )

    def overdue(self, probe: Probe, *, name: str, guard: bool, phase: Phase, step: int) -> Sample:
        """The sample of a probe that is still being taken although its time is over."""
        return Sample(
            probe=name,
            guard=guard,
            phase=phase,
            step=step,
            at=to_iso(self.clock.now()),
            status=SampleStatus.UNKNOWN,
            detail=f"it hangs: nothing came within its {probe.timeout}",
        )

    def _take(self, probe: Probe, phase: Phase, step: int) -> Measured:
        if isinstance(probe, SuiteProbe):
            return self.suites(probe, phase, step)
        taker = self.takers.get(probe.type)
        if taker is None:
            raise UnmeasurableError(f"this runner has no way to take a probe of type {probe.type}")
        return taker(probe)

    def _status(self, measured: Measured, tolerance: Tolerance | None) -> tuple[SampleStatus, str | None]:
        if tolerance is None:
            return (SampleStatus.WITHIN if measured.well else SampleStatus.OUTSIDE), (
                None if measured.well else measured.detail or f"{shown(measured.value)} is not well"
            )
        values = measured.value if isinstance(measured.value, tuple) else (measured.value,)
        for value in values:
            finding = self.judge(value, tolerance)
            if finding.status is not SampleStatus.WITHIN:
                said = None if measured.well else measured.detail
                return finding.status, "; ".join(each for each in (finding.detail, said) if each) or None
        return SampleStatus.WITHIN, None


def _stored(value: Any) -> float | str | bool | None:
    """What of a value is kept with the sample: numbers and short texts."""
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return float(value)
    return str(value)[:_LONGEST_TEXT]
