"""Markdown for a comment on a pull request: short, failures folded, and no name or message of a test can act in it.

Text of tests stands in HTML that is escaped (`<code>`, `<pre>`), never in Markdown: there neither a link, an image, a
mention nor a closing tag comes to life.
"""

import re
from html import escape

from crosswind.contracts.requests import VerdictKind
from crosswind.kernel.pages import whole_text
from crosswind.runs.reporting.model import CaseRow, LoadMetric, RunReport
from crosswind.runs.reporting.stacks import plain

MAX_CHARS = 65_000  # GitHub takes 65,536
_FAILURES = 50
_CAUSES = 10
_LOADS = 5
_METRICS = 20
_DETAILS = 1_500
_NAME = 160
_MESSAGE = 300
_SIGNS = {
    VerdictKind.PASSED: "✅",
    VerdictKind.FAILED: "❌",
    VerdictKind.ERROR: "⚠️",
    VerdictKind.SKIPPED: "⏭️",
    VerdictKind.CANCELLED: "🚫",
    VerdictKind.INCONCLUSIVE: "❓",
}
_BREAK = "\u200b"  # a space of no width
_ACTIVE = re.compile(r"(?<![^\W_])_|_(?![^\W_])|[^\w .,;=+\-%/]", re.ASCII)


def render(report: RunReport) -> bytes:
    """The comment as UTF-8."""
    head = [_headline(report), "", *_facts(report), "", *_counts(report), *_loads(report)]
    tail = [*_slowest(report), *_notes(report), ""]
    room = MAX_CHARS - sum(len(line) + 1 for line in (*head, *tail)) - 300
    body: list[str] = []
    for block in (*_causes(report), *_failures(report)):
        room -= len(block) + 1
        if room < 0:
            body.append(
                "\n_There is more than fits into a comment; the other forms of the report have it._\n"
            )
            break
        body.append(block)
    return whole_text("\n".join([*head, *body, *tail])).encode()


def _headline(report: RunReport) -> str:
    verdict = report.verdict
    if verdict is None:
        return f"### {_text(report.title)}: going on"
    return f"### {_SIGNS[verdict.kind]} {_text(report.title)}: {verdict.kind.value}"


def _facts(report: RunReport) -> list[str]:
    lines = [_text(report.verdict.reason)] if report.verdict else []
    if report.run:
        commit = f" · {_code(report.run.commit[:12])}" if report.run.commit else ""
        lines.append(f"<sub>{_code(report.run.execution_id)}{commit}</sub>")
    return lines


def _counts(report: RunReport) -> list[str]:
    counts = report.counts
    names = ("passed", "failed", "error", "missing", "flaky", "skipped", "muted")
    shown = [name for name in names if getattr(counts, name)]
    return [
        "| tests | " + " | ".join(shown) + " |" if shown else "| tests |",
        "|---:|" + "---:|" * len(shown),
        f"| {counts.total:,} |" + "".join(f" {getattr(counts, name):,} |" for name in shown),
        "",
    ]


def _loads(report: RunReport) -> list[str]:
    """What load tests measured: the value, the threshold that it was judged by, and the run that it is compared with."""
    lines: list[str] = []
    for load in report.load[:_LOADS]:
        lines += [
            f"**Load: {_text(load.test[:_NAME])}**",
            "",
            "| metric | value | threshold | baseline |",
            "|---|---:|---|---:|",
        ]
        lines += [_metric(each) for each in load.metrics[:_METRICS]]
        lines.append("")
    return lines


def _metric(metric: LoadMetric) -> str:
    held = "" if metric.held is None else ("✅ " if metric.held else "❌ ")
    threshold = f"{held}{_code(metric.threshold[:_NAME])}" if metric.threshold else ""
    baseline = _amount(metric.baseline, metric.unit) if metric.baseline is not None else ""
    return (
        f"| {_code(metric.name[:_NAME])} | {_amount(metric.value, metric.unit)} | {threshold} | {baseline} |"
    )


def _amount(value: float, unit: str) -> str:
    return _text(f"{value:,.4g} {unit}".strip())


def _causes(report: RunReport) -> list[str]:
    if not report.clusters.clusters:
        return []
    lines = [f"**{report.clusters.sentence}**", ""]
    for each in report.clusters.clusters[:_CAUSES]:
        new = " **new**" if each.new else ""
        lines.append(f"- **{each.count:,}**{new} {_code(_joined(each.exception, each.message)[:_MESSAGE])}")
    if len(report.clusters.clusters) > _CAUSES:
        lines.append(f"- and {len(report.clusters.clusters) - _CAUSES:,} more")
    return [*lines, ""]


def _joined(exception: str | None, message: str) -> str:
    return message if not exception or exception in message else f"{exception}: {message}"


def _failures(report: RunReport) -> list[str]:
    failures = report.failures
    blocks = [_failure(case) for case in failures[:_FAILURES]]
    if len(failures) > _FAILURES:
        blocks.append(f"\nand {len(failures) - _FAILURES:,} more failures\n")
    return blocks


def _failure(case: CaseRow) -> str:
    muted = " (muted)" if case.muted else ""
    place = f" <sub>{_text(' '.join(part for part in (case.test, case.variant, case.work_id) if part)[:_NAME])}</sub>"
    message = plain(case.message or "")[:_MESSAGE]
    details = plain(case.details or "")
    if len(details) > _DETAILS:
        details = "…\n" + details[-_DETAILS:]
    inner = "\n\n".join(part for part in (_pre(message), _pre(details)) if part)
    summary = f"<summary>{case.status.value}{muted}: {_code(case.name[:_NAME])}{place}</summary>"
    return f"<details>{summary}\n\n{inner}\n\n</details>"


def _slowest(report: RunReport) -> list[str]:
    if not report.slowest:
        return []
    rows = [f"- {each.duration_seconds:.1f} s {_code(each.name[:_NAME])}" for each in report.slowest[:5]]
    return ["", "<details><summary>The slowest tests</summary>", "", *rows, "", "</details>"]


def _notes(report: RunReport) -> list[str]:
    return ["", *(f"_{_text(note[:_MESSAGE])}_" for note in report.notes[:5])] if report.notes else []


def _text(text: str) -> str:
    """As `_plain`; what would mention people or issues is broken up, for that is looked for after Markdown is read."""
    return _plain(re.sub("([@#])", rf"\1{_BREAK}", text))


def _plain(text: str) -> str:
    """On one line; everything but letters, digits and plain punctuation as an entity, which Markdown never reads."""
    return _ACTIVE.sub(_entity, " ".join(text.split())).replace("www.", "www&#46;")


def _entity(found: re.Match[str]) -> str:
    character = found[0]
    readable = not character.isascii() and (character.isprintable() or character == _BREAK)
    return character if readable else f"&#{ord(character)};"


def _code(text: str) -> str:
    """A code element, in which nobody is mentioned."""
    return f"<code>{_plain(text)}</code>"


def _pre(text: str) -> str:
    """A block that ends only with its own tag: an empty line would end it for a reader of Markdown."""
    if not text.strip():
        return ""
    lines = (_pre_line(line) for line in text.splitlines())
    return "<pre>" + "\n".join(lines) + "</pre>"


def _pre_line(line: str) -> str:
    escaped = "".join(
        f"&#{ord(each)};" if each in "`*_[]()!#@|~\\:" else escape(each)
        for each in line
        if each == "\t" or each.isprintable()
    )
    return escaped if escaped.strip() else "&#8203;"
