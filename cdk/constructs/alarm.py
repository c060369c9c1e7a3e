"""The only place that makes a CloudWatch alarm."""

from aws_cdk import aws_cloudwatch
from constructs import Construct


def add_alarm(
    scope: Construct,
    construct_id: str,
    *,
    metric: aws_cloudwatch.IMetric,
    above: float,
    meaning: str,
    periods: int = 1,
    missing: aws_cloudwatch.TreatMissingData = aws_cloudwatch.TreatMissingData.NOT_BREACHING,
) -> aws_cloudwatch.Alarm:
    """Alarm when the metric is above a value. `meaning` tells whoever is woken what it means and what to do."""
    return aws_cloudwatch.Alarm(
        scope,
        construct_id,
        metric=metric,
        threshold=above,
        evaluation_periods=periods,
        comparison_operator=aws_cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
        treat_missing_data=missing,
        alarm_description=meaning,
    )


def add_silence_alarm(
    scope: Construct, construct_id: str, *, metric: aws_cloudwatch.IMetric, periods: int, meaning: str
) -> aws_cloudwatch.Alarm:
    """Alarm when the metric counted nothing for so many periods."""
    return aws_cloudwatch.Alarm(
        scope,
        construct_id,
        metric=metric,
        threshold=1,
        evaluation_periods=periods,
        comparison_operator=aws_cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
        treat_missing_data=aws_cloudwatch.TreatMissingData.BREACHING,
        alarm_description=meaning,
    )
