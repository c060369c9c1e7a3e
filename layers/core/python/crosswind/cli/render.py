"""Views as text: aligned columns, a run's summary, its failures. Colour is decoration only."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from rich.text import Text

from crosswind.contracts.requests import CaseView, RunView, VerdictKind
from crosswind.contracts.statuses import CaseStatus
from crosswind.kernel.clock import from_iso

FAILURES_SHOWN = 5
_COLOURS = {
    "passed": "green",
    "failed": "red",
    "error": "red",
    "missing": "red",
    "flaky": "yellow",
    "skipped": "yellow",
    "inconclusive": "magenta",
    "cancelled": "yellow",
}
BAD = (CaseStatus.FAILED, CaseStatus.ERROR, CaseStatus.MISSING)


def clean(text: str) -> str:
    """Without control characters: what tests write must not steer a terminal."""
    return "".join(letter for letter in text if letter in "\n\t" or letter.isprintable())


def coloured(word: str, *, bold: bool = False) -> Text:
    """A status or verdict in its colour."""
    style = " ".join(part for part in ("bold" if bold else "", _COLOURS.get(word.lower(), "")) if part)
    return Text(word, style=style)


def columns(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[Text]:
    """Left-aligned columns, as wide as their widest cell; nothing is cut off."""
    table = [tuple(header), *(tuple(row) for row in rows)]
    widths = [max(len(row[index]) for row in table) for index in range(len(header))]
    lines = []
    for number, row in enumerate(table):
        line = Text()
        for cell, width in zip(row, widths, strict=True):
            text = Text(cell, style="bold") if number == 0 else coloured(cell)
            text.pad_right(width - len(cell) + 2)
            line.append_text(text)
        line.rstrip()
        lines.append(line)
    return lines


def duration(seconds: float) -> str:
    """Such as `0.4 s`, `12.3 s`, `3 min 05 s` or `2 h 10 min`."""
    if seconds < 60:  # noqa: PLR2004  # a minute
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:  # noqa: PLR2004  # an hour
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def elapsed(run: RunView, *, now: datetime) -> float:
    """Seconds from submission to the end, or to now."""
    end = from_iso(run.finished_at) if run.finished_at else now
    return max(0.0, (end - from_iso(run.created_at)).total_seconds())


def headline(run: RunView) -> Text:
    """One line: verdict or state, suite, id."""
    word = run.verdict.kind.value.upper() if run.verdict else run.state.value
    return Text.assemble(coloured(word, bold=True), f"  {run.suite}  {run.execution_id}")


def counts(run: RunView) -> list[Text]:
    """The counts table of a run."""
    tests = run.tests
    names = ["total", "passed", "failed", "error", "flaky", "skipped", "missing"]
    if tests.muted:
        names.append("muted")
    return columns(names, [[str(getattr(tests, name)) for name in names]])


def beside(run: RunView) -> list[Text]:
    """A line for each experiment beside a stage: its verdict or state, its run, and why."""
    lines = []
    for each in run.chaos:
        state = each.verdict.value if each.verdict else each.state.value if each.state else "not started"
        which = f"{each.experiment} {each.experiment_run or ''}".strip()
        why = f": {clean(each.reason)}" if each.reason else ""
        lines.append(Text(f"chaos beside stage {each.stage}: {which} {state}{why}"))
    return lines


def progress(run: RunView) -> str:
    """One line on what is going on."""
    if run.paused_at:
        return f"{_progress(run)}, paused by {clean(run.paused_by or 'someone')}"
    return _progress(run)


def _progress(run: RunView) -> str:
    if run.state.value in ("accepted", "preparing", "judging") or not run.shards.total:
        return run.state.value
    done, failed = tests_so_far(run)
    stage = f"stage {run.stage}: " if run.stage else ""
    text = f"{stage}{run.shards.done} of {run.shards.total} shards done, {run.shards.running} running, "
    text += f"{run.shards.waiting} waiting; {done} of {max(done, run.tests.total)} tests"
    return f"{text}, {failed} failed" if failed else text


def tests_so_far(run: RunView) -> tuple[int, int]:
    """Tests done and failed: what was recorded, or what the runners tell of if that is further."""
    shards = [work for work in run.work or () if work.work_id.startswith("shard-")]
    tests = run.tests
    recorded = tests.passed + tests.failed + tests.error + tests.skipped + tests.flaky
    done = max(recorded, sum(work.tests_done for work in shards))
    failed = max(run.tests.failed + run.tests.error, sum(work.tests_failed for work in shards))
    return done, failed


def first_line(text: str | None) -> str:
    """The first line that says something."""
    return next((clean(line).strip() for line in (text or "").splitlines() if line.strip()), "no message")


def failure_line(case: CaseView) -> Text:
    """A failure in one line, as it comes."""
    return Text.assemble(
        case_status(case), f"  {case_name(case)} ({case.work_id}): {first_line(case.message)}"
    )


def case_status(case: CaseView) -> Text:
    """The status of a case, and whether quarantine keeps it from counting."""
    return Text.assemble(coloured(case.status.value), " (muted)" if case.muted else "")


def case_name(case: CaseView) -> str:
    """The framework's name, with the variant when there is one."""
    return clean(f"{case.name} [{case.variant}]" if case.variant else case.name)


def failures(cases: Sequence[CaseView]) -> list[Text]:
    """Failed cases with their messages."""
    lines = []
    for case in cases:
        lines.append(Text.assemble("  ", case_status(case), f"  {case_name(case)}  ({case.work_id})"))
        lines += [Text(f"      {line}") for line in clean(case.message or "no message").splitlines()[:6]]
    return lines


def summary(
    run: RunView, cases: Sequence[CaseView], *, now: datetime, command: Callable[[str], str]
) -> list[Text]:
    """What is shown when a run has ended: verdict with reason, counts, failures, what to try next."""
    lines = [headline(run)]
    if run.verdict:
        lines.append(Text(clean(run.verdict.reason)))
    shards = f"{run.shards.total} shard{'' if run.shards.total == 1 else 's'}"
    lines += [Text(), *counts(run), *beside(run), Text(f"{shards}, {duration(elapsed(run, now=now))}")]
    bad = [case for case in cases if case.status in BAD]
    if bad:
        lines += [Text(), Text("Failures", style="bold"), *failures(bad[:FAILURES_SHOWN])]
        more = run.tests.failed + run.tests.error + run.tests.missing - len(bad[:FAILURES_SHOWN])
        if more > 0:
            lines.append(Text(f"  and {more} more"))
    return [
        *lines,
        Text(),
        Text("Next", style="bold"),
        *(Text(f"  {command(words)}") for words in next_steps(run, bad)),
    ]


def next_steps(run: RunView, bad: Sequence[CaseView]) -> list[str]:
    """Commands that are worth trying after this run."""
    steps = [f"results {run.execution_id}"]
    if bad:
        steps = [
            f"results {run.execution_id} --status {bad[0].status.value}",
            f"logs {run.execution_id} --shard {bad[0].work_id}",
        ]
    elif run.verdict and run.verdict.kind is not VerdictKind.PASSED:
        steps = [
            f"get {run.execution_id} --detail",
            f"logs {run.execution_id}",
        ]
    return [*steps, f"artifacts {run.execution_id}"]
