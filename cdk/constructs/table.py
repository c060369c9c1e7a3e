"""The only place that makes a DynamoDB table."""

from dataclasses import dataclass

from aws_cdk import RemovalPolicy, aws_dynamodb, aws_kms
from constructs import Construct

from cdk.stages import Stage

TIME_TO_LIVE = "expiresAt"


@dataclass(frozen=True, kw_only=True)
class Index:
    """A global secondary index over two string attributes."""

    name: str
    partition_key: str
    sort_key: str


@dataclass(frozen=True, kw_only=True)
class TableProps:
    """What a table is for."""

    stage: Stage
    key: aws_kms.IKey
    indexes: tuple[Index, ...] = ()


class Table(Construct):
    """String keys `pk` and `sk`, on demand, encrypted with the data key, expiring by `expiresAt`."""

    table: aws_dynamodb.Table

    def __init__(self, scope: Construct, construct_id: str, *, props: TableProps) -> None:
        super().__init__(scope, construct_id)
        self._props = props
        self._define_table()
        self._define_indexes()

    @property
    def key(self) -> aws_kms.IKey:
        """The key that items are encrypted with."""
        return self._props.key

    @property
    def index_names(self) -> tuple[str, ...]:
        """Names for grants."""
        return tuple(index.name for index in self._props.indexes)

    def _define_table(self) -> None:
        stage = self._props.stage
        self.table = aws_dynamodb.Table(
            self,
            "Table",
            partition_key=_string("pk"),
            sort_key=_string("sk"),
            billing_mode=aws_dynamodb.BillingMode.PAY_PER_REQUEST,
            encryption=aws_dynamodb.TableEncryption.CUSTOMER_MANAGED,
            encryption_key=self._props.key,
            time_to_live_attribute=TIME_TO_LIVE,
            point_in_time_recovery_specification=aws_dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=stage.point_in_time_recovery
            ),
            deletion_protection=stage.protected,
            removal_policy=RemovalPolicy.RETAIN if stage.protected else RemovalPolicy.DESTROY,
        )

    def _define_indexes(self) -> None:
        for index in self._props.indexes:
            self.table.add_global_secondary_index(
                index_name=index.name,
                partition_key=_string(index.partition_key),
                sort_key=_string(index.sort_key),
            )


def _string(name: str) -> aws_dynamodb.Attribute:
    return aws_dynamodb.Attribute(name=name, type=aws_dynamodb.AttributeType.STRING)
