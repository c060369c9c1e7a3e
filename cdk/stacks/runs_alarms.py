"""Alarms on what brings lost runs back."""

from aws_cdk import Duration, aws_cloudwatch, aws_lambda
from constructs import Construct

from cdk.constructs.alarm import add_alarm
from cdk.constructs.every_minute import tell_of_silence
from cdk.stages import Stage


def watch_the_sweep(scope: Construct, sweep: aws_lambda.Function, *, stage: Stage) -> None:
    """Tell when the sweep falls silent, and when it finds too much."""
    meaning = "The sweep has not run for ten minutes: lost runs are not recovered. Is its rule enabled?"
    tell_of_silence(scope, "SweepSilent", sweep, meaning=meaning)
    add_alarm(
        scope,
        "RunsOrphaned",
        metric=aws_cloudwatch.Metric(
            namespace="Crosswind",
            metric_name="OrphanedRuns",
            dimensions_map={"stage": stage.name, "service": "crosswind"},
            period=Duration.minutes(5),
            statistic="Sum",
        ),
        above=5,
        meaning="More than five runs in five minutes had lost their execution and were recovered: "
        "see the failed executions of the state machine.",
    )
