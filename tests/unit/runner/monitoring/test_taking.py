"""Samples, commands and what the cloud tells."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from crosswind.adapters.aws.measurements import AwsMeasurements
from crosswind.chaos import layout
from crosswind.chaos.tolerance import Judge
from crosswind.contracts.chaos.monitoring import SampleStatus, SuiteAnswer
from crosswind.contracts.chaos.probes import (
    CloudWatchAlarmProbe,
    CloudWatchMetricProbe,
    CommandProbe,
    HttpProbe,
    Phase,
    Probe,
    QueueDepthProbe,
    SuiteProbe,
    Tolerance,
)
from crosswind.contracts.requests import VerdictKind
from crosswind.kernel.errors import DependencyError
from crosswind.runner.faults import Interruption
from crosswind.runner.monitoring import texts
from crosswind.runner.monitoring.commands import CommandProbes
from crosswind.runner.monitoring.measuring import Measured, Prober, Take, UnmeasurableError
from crosswind.runner.monitoring.suites import SuiteProbes
from tests.fakes import MemoryObjectStore, SettableClock
from tests.unit.runner.rig import environment, wait_until

HTTP = HttpProbe(name="p", type="http", url="http://shop/")
JUDGE = Judge(find=texts.find, select=texts.select)


def no_suites(probe: SuiteProbe, phase: Phase, step: int) -> Measured:
    raise UnmeasurableError(f"nobody runs suites here: {probe.suite} {phase} {step}")


def sampled(take: Take, probe: Probe = HTTP) -> Any:
    prober = Prober({probe.type: take}, JUDGE, SettableClock(), no_suites)
    return prober.sample(probe, name="p", guard=False, phase=Phase.DURING, step=1)


def raising(error: Exception) -> Take:
    def take(_: Any) -> Measured:
        raise error

    return take


@pytest.mark.parametrize(
    "error", [UnmeasurableError("no"), DependencyError("away"), ValueError("odd"), RecursionError()]
)
def test_whatever_goes_wrong_makes_a_sample_unknown(error: Exception) -> None:
    assert sampled(raising(error)).status is SampleStatus.UNKNOWN


def test_without_a_tolerance_the_probe_itself_says_what_is_well() -> None:
    assert sampled(lambda _: Measured(200)).status is SampleStatus.WITHIN
    bad = sampled(lambda _: Measured(503, well=False, detail="status 503"))
    assert (bad.status, bad.detail, bad.value) == (SampleStatus.OUTSIDE, "status 503", 503.0)


def test_a_tolerance_outweighs_what_the_probe_calls_well() -> None:
    probe = HTTP.model_copy(update={"tolerance": Tolerance(value=404)})
    assert sampled(lambda _: Measured(404, well=False), probe).status is SampleStatus.WITHIN


def test_what_is_out_of_tolerance_because_nobody_answered_says_so() -> None:
    probe = HTTP.model_copy(update={"tolerance": Tolerance(value=201)})
    sample = sampled(lambda _: Measured(0, well=False, detail="no answer: timed out"), probe)
    assert (sample.status, sample.detail) == (
        SampleStatus.OUTSIDE,
        "0 instead of 201; no answer: timed out",
    )


def test_every_one_of_several_values_has_to_be_tolerated() -> None:
    probe = HTTP.model_copy(update={"tolerance": Tolerance(range=(1, None))})
    assert sampled(lambda _: Measured((1.0, 2.0)), probe).status is SampleStatus.WITHIN
    assert sampled(lambda _: Measured((1.0, 0.5)), probe).status is SampleStatus.OUTSIDE


def test_a_probe_that_nobody_can_take_is_unknown() -> None:
    prober = Prober({}, JUDGE, SettableClock(), no_suites)
    sample = prober.sample(HTTP, name="p", guard=False, phase=Phase.AFTER, step=0)
    assert sample.status is SampleStatus.UNKNOWN
    assert "no way to take" in str(sample.detail)


def command(*words: str, **more: object) -> CommandProbe:
    return CommandProbe.model_validate({"name": "c", "type": "command", "command": words, **more})


def test_a_command_is_judged_by_its_exit_status_or_its_output(tmp_path: Path) -> None:
    commands = CommandProbes(environment(), tmp_path)
    assert commands.take(command(sys.executable, "-c", "raise SystemExit(3)")).value == 3
    printed = commands.take(command(sys.executable, "-c", "print('ok')", compare="output"))
    assert (printed.value, printed.well) == ("ok", True)


def test_a_command_sees_none_of_the_runners_credentials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    show = "import os; print('AWS_SECRET_ACCESS_KEY' in os.environ)"
    assert CommandProbes(environment(), tmp_path).take(
        command(sys.executable, "-c", show, compare="output")
    ).value == ("False")


def test_a_command_that_does_not_end_is_ended_with_its_children_and_unknown(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    child = f"import subprocess, time; p = subprocess.Popen(['sleep', '60']); open({str(mark)!r}, 'w').write(str(p.pid)); time.sleep(60)"
    with pytest.raises(UnmeasurableError, match="did not end"):
        CommandProbes(environment(), tmp_path).take(command(sys.executable, "-c", child, timeout="1s"))
    wait_until(lambda: not psutil.pid_exists(int(mark.read_text())) or is_dead(int(mark.read_text())))


def is_dead(pid: int) -> bool:
    """Not every first process of a container collects orphans."""
    return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_a_command_that_is_not_there_is_unknown(tmp_path: Path) -> None:
    with pytest.raises(UnmeasurableError, match="cannot be started"):
        CommandProbes(environment(), tmp_path).take(command("no-such-program"))


def test_a_hungry_pattern_ends() -> None:
    assert texts.find("(a|aa)+$", "a" * 60 + "b") in {None, False}
    assert texts.find("ok", "all ok") is True


def test_a_path_that_is_none_is_told() -> None:
    assert texts.select("$.a[*]", {"a": [1, 2]}) == [1, 2]
    with pytest.raises(ValueError, match=r"\S"):
        texts.select("$.[", {})


class Cloud:
    """CloudWatch and SQS, as far as they are asked."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked: list[dict[str, Any]] = []

    def __getattr__(self, name: str) -> Any:
        def call(**arguments: Any) -> Any:
            self.asked.append(arguments)
            return self.answers[name]

        return call


def test_the_newest_value_of_a_metric_counts_and_none_is_unknown() -> None:
    probe = CloudWatchMetricProbe(
        name="m",
        type="cloudwatch-metric",
        namespace="n",
        metric="Errors",
        tolerance=Tolerance(range=(None, 1)),
    )
    points = [
        {"Timestamp": datetime(2026, 1, 1, 0, minute, tzinfo=UTC), "Average": float(minute)}
        for minute in (2, 1)
    ]
    told = Cloud(get_metric_statistics={"Datapoints": points})
    assert AwsMeasurements(told, None, SettableClock()).metric(probe) == 2.0
    empty = Cloud(get_metric_statistics={"Datapoints": []})
    with pytest.raises(DependencyError):
        AwsMeasurements(empty, None, SettableClock()).metric(probe)


@pytest.mark.parametrize(("state", "known"), [("OK", True), ("ALARM", True), ("INSUFFICIENT_DATA", False)])
def test_an_alarm_tells_its_state(state: str, known: bool) -> None:
    probe = CloudWatchAlarmProbe(
        name="a", type="cloudwatch-alarm", alarm="arn:aws:cloudwatch:eu-central-1:1:alarm:slo"
    )
    told = Cloud(describe_alarms={"MetricAlarms": [{"StateValue": state}]})
    measurements = AwsMeasurements(told, None, SettableClock())
    if known:
        assert measurements.alarm(probe) == state
        assert told.asked[0]["AlarmNames"] == ["slo"]
    else:
        with pytest.raises(DependencyError):
            measurements.alarm(probe)


def test_a_queue_is_found_by_its_name_and_never_by_an_address_that_was_written() -> None:
    probe = QueueDepthProbe(
        name="q", type="queue-depth", queue="http://169.254.169.254/orders", tolerance=Tolerance(value=0)
    )
    told = Cloud(
        get_queue_url={"QueueUrl": "https://sqs.example/1/orders"},
        get_queue_attributes={"Attributes": {"ApproximateNumberOfMessages": "7"}},
    )
    assert AwsMeasurements(None, told, SettableClock()).queue_depth(probe) == 7
    assert told.asked[0] == {"QueueName": "orders"}


ANSWER = layout.suite_answer_key("exp-1", "smoke", Phase.BEFORE, 0)
SMOKE = SuiteProbe(name="smoke", type="suite", suite="shop", timeout="1s")


def of_suite(answer: SuiteAnswer | None) -> Any:
    """What a monitor makes of what the engine left."""
    artifacts = MemoryObjectStore()
    if answer is not None:
        artifacts.put(ANSWER, answer.to_wire().encode())
    take = SuiteProbes("exp-1", artifacts, Interruption()).take
    prober = Prober({}, JUDGE, SettableClock(), take)
    return prober.sample(SMOKE, name="smoke", guard=False, phase=Phase.BEFORE, step=0)


@pytest.mark.parametrize(
    ("verdict", "status"),
    [
        (VerdictKind.PASSED, SampleStatus.WITHIN),
        (VerdictKind.FAILED, SampleStatus.OUTSIDE),
        (VerdictKind.ERROR, SampleStatus.UNKNOWN),
        (VerdictKind.CANCELLED, SampleStatus.UNKNOWN),
        (VerdictKind.SKIPPED, SampleStatus.UNKNOWN),
        (VerdictKind.INCONCLUSIVE, SampleStatus.UNKNOWN),
    ],
)
def test_a_suites_verdict_is_the_probes_value_where_it_says_something(
    verdict: VerdictKind, status: SampleStatus
) -> None:
    sample = of_suite(SuiteAnswer(execution_id="run-1", verdict=verdict, reason="2 of 3 tests failed."))
    assert sample.status is status


def test_a_suite_that_was_not_started_or_has_no_verdict_in_time_is_unknown() -> None:
    refused = of_suite(SuiteAnswer(reason="there is no suite"))
    assert (refused.status, refused.detail) == (
        SampleStatus.UNKNOWN,
        "suite shop was not started: there is no suite",
    )
    for answer in (None, SuiteAnswer(execution_id="run-1")):
        late = of_suite(answer)
        assert (late.status, late.detail) == (
            SampleStatus.UNKNOWN,
            "suite shop had no verdict within 1s",
        )
