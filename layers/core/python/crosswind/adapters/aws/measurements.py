"""What probes measure on AWS: a metric's newest value, an alarm's state, the messages in a queue."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from crosswind.adapters.aws.errors import aws_errors
from crosswind.contracts.chaos.probes import CloudWatchAlarmProbe, CloudWatchMetricProbe, QueueDepthProbe
from crosswind.contracts.suites import duration_seconds
from crosswind.kernel.clock import Clock
from crosswind.kernel.errors import DependencyError

_LOOKED_BACK = 5  # periods: CloudWatch tells late
_EXTENDED = "p"


@dataclass(frozen=True)
class AwsMeasurements:
    """Reads CloudWatch and SQS. Every client has its own time limits and bounded retries."""

    cloudwatch: Any
    sqs: Any
    clock: Clock

    def metric(self, probe: CloudWatchMetricProbe) -> float:
        """The newest value. Raises DependencyError where there is none."""
        period = max(60, duration_seconds(probe.period) // 60 * 60)
        kind = "ExtendedStatistics" if probe.statistic.startswith(_EXTENDED) else "Statistics"
        now = self.clock.now()
        with aws_errors("cloudwatch"):
            answer = self.cloudwatch.get_metric_statistics(
                Namespace=probe.namespace,
                MetricName=probe.metric,
                Dimensions=[{"Name": name, "Value": value} for name, value in probe.dimensions.items()],
                StartTime=now - timedelta(seconds=period * _LOOKED_BACK),
                EndTime=now,
                Period=period,
                **{kind: [probe.statistic]},
            )
        points = sorted(answer["Datapoints"], key=lambda point: point["Timestamp"])
        if not points:
            raise DependencyError(f"{probe.metric} has no value in the last {period * _LOOKED_BACK} s")
        newest = points[-1]
        return float(
            newest["ExtendedStatistics"][probe.statistic] if kind != "Statistics" else newest[probe.statistic]
        )

    def alarm(self, probe: CloudWatchAlarmProbe) -> str:
        """OK or ALARM. Raises DependencyError where CloudWatch does not know."""
        name = probe.alarm.rsplit(":alarm:", 1)[-1]
        with aws_errors("cloudwatch"):
            answer = self.cloudwatch.describe_alarms(
                AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"]
            )
        found = [*answer.get("MetricAlarms", ()), *answer.get("CompositeAlarms", ())]
        if not found:
            raise DependencyError(f"there is no alarm {name!r}")
        state = str(found[0]["StateValue"])
        if state == "INSUFFICIENT_DATA":
            raise DependencyError(f"alarm {name!r} has too little data")
        return state

    def queue_depth(self, probe: QueueDepthProbe) -> int:
        """Messages that wait to be received."""
        with aws_errors("sqs"):
            # By name only: an address that somebody wrote is never where a signed request goes.
            url = self.sqs.get_queue_url(QueueName=probe.queue.rsplit("/", 1)[-1])["QueueUrl"]
            answer = self.sqs.get_queue_attributes(
                QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"]
            )
        return int(answer["Attributes"]["ApproximateNumberOfMessages"])
