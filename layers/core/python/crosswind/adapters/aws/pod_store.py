"""Pods of runs in the runs table: an item for each launch of an attempt, in a partition of their own beside the run's."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from crosswind.adapters.aws.attributes import SCHEMA, Item, Values, from_item, iso, moment, to_item
from crosswind.adapters.aws.dynamo import ConditionFailedError, Dynamo
from crosswind.adapters.aws.keys import caretaker_key, pod_key, pods_partition
from crosswind.adapters.aws.work_items import OUTLIVES_RUN, expires_at
from crosswind.contracts.clusters import CapacityKind
from crosswind.contracts.pods import PodState
from crosswind.kernel.clock import from_iso, to_iso
from crosswind.runs.model import WorkKey
from crosswind.runs.planning.pricing import Size
from crosswind.runs.pods.model import Caretaker, PodRecord
from crosswind.runs.pods.naming import Carrier


@dataclass(frozen=True)
class DynamoPodStore:
    """PodStore on the runs table."""

    dynamo: Dynamo
    table: str
    retention: timedelta

    def get_many(self, carriers: Sequence[Carrier]) -> Sequence[PodRecord]:
        keys = {
            (each.key.run_id, each.key.work_id, each.attempt, each.epoch): pod_key(
                each.key.run_id, each.key.work_id, each.attempt, each.epoch
            )
            for each in carriers
        }
        return [read_pod(item) for item in self.dynamo.get_many(self.table, list(keys.values()))]

    def put_new(self, record: PodRecord) -> bool:
        try:
            self.dynamo.put(
                self.table,
                pod_item(record, retention=self.retention),
                ConditionExpression="attribute_not_exists(pk) OR #state = :refused OR #number < :number",
                ExpressionAttributeNames={"#state": "state", "#number": "number"},
                ExpressionAttributeValues={
                    ":refused": {"S": PodState.REFUSED.value},
                    ":number": {"N": str(record.carrier.number)},
                },
            )
        except ConditionFailedError:
            return False
        return True

    def put(self, record: PodRecord) -> bool:
        try:
            self.dynamo.put(
                self.table,
                pod_item(record, retention=self.retention),
                ConditionExpression="attribute_not_exists(pk) OR #number <= :number",
                ExpressionAttributeNames={"#number": "number"},
                ExpressionAttributeValues={":number": {"N": str(record.carrier.number)}},
            )
        except ConditionFailedError:
            return False
        return True

    def of_run(self, run_id: str) -> Iterator[PodRecord]:
        pages = self.dynamo.query(
            self.table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": pods_partition(run_id)}},
            ConsistentRead=True,
        )
        for page in pages:
            yield from map(read_pod, page["Items"])

    def caretaker(self, cluster: str) -> Caretaker | None:
        item = self.dynamo.get(self.table, caretaker_key(cluster))
        if item is None:
            return None
        values = from_item(item)
        return Caretaker(cluster=cluster, until=from_iso(values["until"]), jobs=values["jobs"])

    def put_caretaker(self, caretaker: Caretaker) -> None:
        values = {
            "schema": SCHEMA,
            "until": to_iso(caretaker.until),
            "jobs": caretaker.jobs,
            "expiresAt": expires_at(caretaker.until + OUTLIVES_RUN),
        }
        self.dynamo.put(self.table, caretaker_key(caretaker.cluster) | to_item(values))


def pod_item(record: PodRecord, *, retention: timedelta) -> Item:
    """The stored form of a record. It goes with its run's other parts."""
    carrier = record.carrier
    return pod_key(carrier.key.run_id, carrier.key.work_id, carrier.attempt, carrier.epoch) | to_item(
        {
            "schema": SCHEMA,
            "runId": carrier.key.run_id,
            "workId": carrier.key.work_id,
            "attempt": carrier.attempt,
            "epoch": carrier.epoch,
            "number": carrier.number,
            "team": record.team,
            "cluster": record.cluster,
            "namespace": record.namespace,
            "image": record.image,
            "capacity": record.capacity.value,
            "placement": record.placement,
            "asked": _size_values(record.asked),
            "launchedAt": to_iso(record.launched_at),
            "tried": [kind.value for kind in record.tried] or None,
            "state": record.state.value,
            "reason": record.reason,
            "detail": record.detail,
            "provisioned": _size_values(record.provisioned),
            "node": record.node,
            "instanceType": record.instance_type,
            "zone": record.zone,
            "scheduledAt": iso(record.scheduled_at),
            "startedAt": iso(record.started_at),
            "finishedAt": iso(record.finished_at),
            "expiresAt": expires_at(record.launched_at + retention + OUTLIVES_RUN),
        }
    )


def read_pod(item: Item) -> PodRecord:
    """The record that an item holds."""
    values = from_item(item)
    return PodRecord(
        carrier=Carrier(
            WorkKey(values["runId"], values["workId"]), values["attempt"], values["epoch"], values["number"]
        ),
        team=values["team"],
        cluster=values["cluster"],
        namespace=values["namespace"],
        image=values["image"],
        capacity=CapacityKind(values["capacity"]),
        placement=values["placement"],
        asked=_read_size(values["asked"]) or Size(1, 1),
        launched_at=from_iso(values["launchedAt"]),
        tried=tuple(CapacityKind(kind) for kind in values.get("tried") or ()),
        state=PodState(values["state"]),
        reason=values.get("reason"),
        detail=values.get("detail"),
        provisioned=_read_size(values.get("provisioned")),
        node=values.get("node"),
        instance_type=values.get("instanceType"),
        zone=values.get("zone"),
        scheduled_at=moment(values.get("scheduledAt")),
        started_at=moment(values.get("startedAt")),
        finished_at=moment(values.get("finishedAt")),
    )


def _size_values(size: Size | None) -> dict[str, int] | None:
    return None if size is None else {"cpuMillis": size.cpu_millis, "memoryMib": size.memory_mib}


def _read_size(values: Values | None) -> Size | None:
    return None if values is None else Size(values["cpuMillis"], values["memoryMib"])
