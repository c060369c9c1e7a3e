"""Where the objects of an experiment's run lie in the artifacts bucket."""

from typing import Literal

from crosswind.contracts.chaos.probes import Phase

Report = Literal["html", "json", "junit", "journal"]

_REPORTS: dict[Report, str] = {
    "html": "report.html",
    "json": "report.json",
    "junit": "junit.xml",
    "journal": "journal.json",
}


def run_prefix(run_id: str) -> str:
    """Everything of a run lies under this prefix."""
    return f"chaos/{run_id}/"


def monitor_key(run_id: str) -> str:
    """The MonitorPlan."""
    return f"{run_prefix(run_id)}monitor.json"


def order_key(run_id: str) -> str:
    """The MonitorOrder that the monitor's ticket points at."""
    return f"{run_prefix(run_id)}order.json"


def phase_key(run_id: str) -> str:
    """The PhaseRecord: what the run is doing now."""
    return f"{run_prefix(run_id)}phase.json"


def samples_prefix(run_id: str) -> str:
    """Samples of every monitor that the run had."""
    return f"{run_prefix(run_id)}samples/"


def sample_key(run_id: str, epoch: int, number: int) -> str:
    """One chunk of samples: NDJSON of Sample. Key order is time order within an epoch."""
    return f"{samples_prefix(run_id)}{epoch:03d}-{number:06d}.ndjson"


def monitor_results_prefix(run_id: str) -> str:
    """Results of every monitor that the run had."""
    return f"{run_prefix(run_id)}monitor/"


def monitor_result_key(run_id: str, epoch: int) -> str:
    """The MonitorResult of one epoch."""
    return f"{monitor_results_prefix(run_id)}{epoch:03d}.json"


def suites_prefix(run_id: str) -> str:
    """Answers of suites that are probes."""
    return f"{run_prefix(run_id)}suites/"


def suite_answer_key(run_id: str, probe: str, phase: Phase, step: int) -> str:
    """The SuiteAnswer of a probe in one phase, or in one step of it."""
    return f"{suites_prefix(run_id)}{probe}-{phase.value}-{step:03d}.json"


def report_key(run_id: str, report: Report) -> str:
    """One form of the report."""
    return f"{run_prefix(run_id)}report/{_REPORTS[report]}"
