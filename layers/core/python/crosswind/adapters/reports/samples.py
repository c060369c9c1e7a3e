"""Samples of a load tool, counted by their names: a file has millions, and each name is one test."""

from collections.abc import Iterator
from dataclasses import dataclass

from crosswind.adapters.reports.source import BrokenReportError
from crosswind.adapters.reports.values import problem
from crosswind.contracts.statuses import CaseStatus
from crosswind.runs.reports import ReportedCase


@dataclass(slots=True)
class _Label:
    samples: int = 0
    failed: int = 0
    seconds: float = 0.0
    message: str = ""


class Samples:
    """Counts samples. Memory grows with the number of names only."""

    def __init__(self, *, most_names: int) -> None:
        self._most = most_names
        self._labels: dict[str, _Label] = {}

    def add(self, name: str, *, ok: bool, seconds: float, message: str) -> None:
        """One sample. Raises BrokenReportError where there are too many names."""
        label = self._labels.get(name)
        if label is None:
            if len(self._labels) >= self._most:
                raise BrokenReportError(f"there are more than {self._most} names of samples")
            label = self._labels[name] = _Label()
        label.samples += 1
        label.seconds += seconds
        if not ok:
            label.failed += 1
            label.message = label.message or message

    def cases(self) -> Iterator[ReportedCase]:
        """A case for each name."""
        for name, label in self._labels.items():
            said = f"{label.failed} of {label.samples} samples failed: {label.message}"
            yield ReportedCase(
                name=name or "(no name)",
                class_name=None,
                suites=(),
                status=CaseStatus.FAILED if label.failed else CaseStatus.PASSED,
                duration_seconds=label.seconds,
                line=0,
                problems=(problem("failure", said),) if label.failed else (),
                samples=label.samples,
                failed_samples=label.failed,
            )
