"""Where alarms tell people that something is wrong, and that it is well again."""

from aws_cdk import ArnFormat, Stack, aws_cloudwatch, aws_cloudwatch_actions, aws_iam, aws_kms, aws_sns
from constructs import Construct

from cdk.constructs.topic import encrypted_topic

_ALARMS = "cloudwatch.amazonaws.com"


class AlarmTopic(Construct):
    """An encrypted topic, TLS only, to which CloudWatch alarms of this account and region may publish."""

    topic: aws_sns.Topic

    def __init__(self, scope: Construct, construct_id: str, *, key: aws_kms.Key, description: str) -> None:
        super().__init__(scope, construct_id)
        self._define_topic(key, description)
        self._let_alarms_publish()
        self._let_alarms_use(key)

    def hear(self, stack: Stack) -> None:
        """Be told by every alarm of the stack, when it goes off and when it is over. Called when the stack is whole."""
        action = aws_cloudwatch_actions.SnsAction(self.topic)
        for construct in stack.node.find_all():
            if isinstance(construct, aws_cloudwatch.Alarm):
                construct.add_alarm_action(action)
                construct.add_ok_action(action)

    def _define_topic(self, key: aws_kms.Key, description: str) -> None:
        self.topic = encrypted_topic(self, "Topic", key=key, description=description)

    def _let_alarms_publish(self) -> None:
        """A topic with a policy of its own loses the one by which its account may publish."""
        stack = Stack.of(self)
        alarms = stack.format_arn(
            service="cloudwatch",
            resource="alarm",
            resource_name="*",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        self.topic.add_to_resource_policy(
            aws_iam.PolicyStatement(
                sid="CloudWatchAlarms",
                principals=[aws_iam.ServicePrincipal(_ALARMS)],
                actions=["sns:Publish"],
                resources=[self.topic.topic_arn],
                conditions={
                    "ArnLike": {"aws:SourceArn": alarms},
                    "StringEquals": {"aws:SourceAccount": stack.account},
                },
            )
        )

    def _let_alarms_use(self, key: aws_kms.Key) -> None:
        key.add_to_resource_policy(
            aws_iam.PolicyStatement(
                sid="CloudWatchAlarms",
                principals=[aws_iam.ServicePrincipal(_ALARMS)],
                actions=["kms:Decrypt", "kms:GenerateDataKey"],
                resources=["*"],  # in a key's policy: this key
                conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}},
            )
        )
