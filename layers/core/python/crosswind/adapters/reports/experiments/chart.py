"""The chart of a run as values for the page: samples over time, when faults were in, and what happened when."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from crosswind.contracts.chaos.monitoring import Sample, SampleStatus
from crosswind.contracts.chaos.runs import ExperimentResults
from crosswind.kernel.clock import from_iso

WIDTH, ROW, LEFT, RIGHT, TOP = 960, 26, 150, 20, 28
_TICKS = 8
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400)
MOST_POINTS = 5000


@dataclass(frozen=True, slots=True)
class Point:
    """One sample: from the moment when it was asked to the one when its answer was there."""

    x: float
    width: float
    status: str
    title: str


@dataclass(frozen=True, slots=True)
class Row:
    """The samples of one probe."""

    name: str
    y: float
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Band:
    """A time in which a fault was in."""

    x: float
    width: float
    name: str
    title: str


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened."""

    x: float
    kind: str
    title: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Everything of the picture."""

    width: int
    height: float
    rows: tuple[Row, ...]
    bands: tuple[Band, ...]
    marks: tuple[Mark, ...]
    ticks: tuple[tuple[float, str], ...]


def draw(results: ExperimentResults) -> Chart | None:
    """None where nothing was measured."""
    samples = thinned(results.samples)
    if not samples:
        return None
    begin = min(from_iso(sample.at) for sample in samples)
    end = max(_answered(sample) for sample in samples)
    span = max(1.0, (end - begin).total_seconds())

    def x(at: datetime | str) -> float:
        moment = from_iso(at) if isinstance(at, str) else at
        share = (moment - begin).total_seconds() / span
        return round(LEFT + min(1.0, max(0.0, share)) * (WIDTH - LEFT - RIGHT), 1)

    names = list(dict.fromkeys((sample.probe, sample.guard) for sample in samples))
    rows = tuple(
        Row(
            name=f"{name} (guard)" if guard else name,
            y=TOP + ROW * (index + 0.5),
            points=tuple(
                Point(
                    x(each.at),
                    round(x(_answered(each)) - x(each.at), 1),
                    each.status.value,
                    f"{each.at} {each.status.value} {each.detail or ''}".strip(),
                )
                for each in samples
                if (each.probe, each.guard) == (name, guard)
            ),
        )
        for index, (name, guard) in enumerate(names)
    )
    bottom = TOP + ROW * len(rows)
    bands = tuple(
        Band(
            x=x(fault.injected_at),
            width=round(max(2.0, x(fault.removed_at or end) - x(fault.injected_at)), 1),
            name=f"{fault.name} {fault.percent:g}%",
            title=f"{fault.name} ({fault.provider.value} {fault.action}, {fault.percent:g}%) was in",
        )
        for fault in results.run.faults
        if fault.injected_at
    )
    return Chart(WIDTH, bottom + 30, rows, bands, tuple(_marks(results, x)), _ticks(span))


def thinned(samples: Sequence[Sample], most: int = MOST_POINTS) -> list[Sample]:
    """Every sample out of tolerance stays; of the others as many as there is room for, evenly."""
    ordered = sorted(samples, key=lambda sample: sample.at)
    kept = [each for each in ordered if each.status is not SampleStatus.WITHIN][:most]
    within = [each for each in ordered if each.status is SampleStatus.WITHIN]
    room = max(0, most - len(kept))
    if len(within) > room:
        within = [within[index * len(within) // room] for index in range(room)] if room else []
    return sorted([*kept, *within], key=lambda sample: sample.at)


def _marks(results: ExperimentResults, place: Callable[[str], float]) -> list[Mark]:
    marks = [
        Mark(place(each.decided_at), f"gate-{each.outcome.value}", f"gate: {each.outcome.value}")
        for each in results.decisions
    ]
    abort = results.run.abort
    if abort is not None:
        marks.append(Mark(place(abort.at), "abort", f"aborted: {abort.reason}"))
    return marks


def _ticks(span: float) -> tuple[tuple[float, str], ...]:
    """Every so many whole seconds."""
    step = next((each for each in _STEPS if span / each <= _TICKS), _STEPS[-1])
    room = WIDTH - LEFT - RIGHT
    return tuple((round(LEFT + at / span * room, 1), f"{at} s") for at in range(0, int(span) + 1, step))


def _answered(sample: Sample) -> datetime:
    return from_iso(sample.at) + timedelta(milliseconds=sample.latency_ms or 0)
