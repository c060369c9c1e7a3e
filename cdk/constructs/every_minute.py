"""A look each minute after what nothing else has told of, and the alarm for when nobody looks."""

from collections.abc import Sequence

from aws_cdk import Duration, aws_events, aws_events_targets, aws_lambda
from constructs import Construct

from cdk.constructs.alarm import add_silence_alarm

_SILENT_PERIODS = 2


def call_every_minute(
    scope: Construct, functions: Sequence[aws_lambda.Function], *, description: str
) -> None:
    """Call each function, and again only in the next minute: a call that failed is not worth repeating before."""
    aws_events.Rule(
        scope,
        "EveryMinute",
        description=description,
        schedule=aws_events.Schedule.rate(Duration.minutes(1)),
        targets=[aws_events_targets.LambdaFunction(each, retry_attempts=0) for each in functions],
    )


def tell_of_silence(
    scope: Construct, construct_id: str, function: aws_lambda.Function, *, meaning: str
) -> None:
    """Alarm when the function was not called for ten minutes."""
    add_silence_alarm(
        scope,
        construct_id,
        metric=function.metric_invocations(period=Duration.minutes(5), statistic="Sum"),
        periods=_SILENT_PERIODS,
        meaning=meaning,
    )
