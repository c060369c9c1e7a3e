"""The actions of AWS FIS that Crosswind offers: what they hit, what they take, and whether they are undone.

They are named as FIS names them, without `aws:` and with a dot for the colon, and take FIS's own parameters. Durations
come from the fault itself, so that the provider's limit and the experiment's are one.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from crosswind.contracts.chaos.definitions import ActionView, ParameterView
from crosswind.contracts.chaos.spec import ProviderName

POD, INSTANCE, SPOT, SUBNET = "aws:eks:pod", "aws:ec2:instance", "aws:ec2:spot-instance", "aws:ec2:subnet"
VOLUME, CLUSTER, DATABASE = "aws:ec2:ebs-volume", "aws:rds:cluster", "aws:rds:db"
FUNCTION, ROLE = "aws:lambda:function", "aws:iam:role"


@dataclass(frozen=True, slots=True, kw_only=True)
class FisAction:
    """One action.

    Args:
        slot: What FIS calls its targets.
        duration: The parameter that takes the fault's duration; None where the action is done at once.
        dose: The parameter that makes one target be hit by a share, 100 being all of it.
        reversible: Whether FIS takes it back when its time is over or it is stopped.
    """

    id: str
    title: str
    kind: str
    slot: str
    parameters: tuple[ParameterView, ...] = ()
    duration: str | None = "duration"
    dose: str | None = None
    reversible: bool = True

    @property
    def name(self) -> str:
        """As experiments name it."""
        return action_name(self.id)

    def view(self) -> ActionView:
        """As the API shows it."""
        return ActionView(
            provider=ProviderName.FIS,
            action=self.name,
            title=self.title,
            kinds=(self.kind,),
            parameters=self.parameters,
            reversible=self.reversible,
            dosed=self.dose is not None,
        )


def action_name(action_id: str) -> str:
    """`aws:eks:pod-delete` as `eks.pod-delete`."""
    return action_id.removeprefix("aws:").replace(":", ".")


def _text(name: str, description: str, default: str | None = None, *, required: bool = True) -> ParameterView:
    return ParameterView(
        name=name,
        type="string",
        required=required and default is None,
        default=default,
        description=description,
    )


def _number(
    name: str, unit: str, default: int | None = None, description: str | None = None
) -> ParameterView:
    return ParameterView(
        name=name,
        type="integer",
        required=default is None,
        default=default,
        unit=unit,
        description=description,
    )


_ACCOUNT = _text(
    "kubernetesServiceAccount", "The service account in the pods' namespace that FIS's own pod runs as."
)
_SOURCES = _text("sources", "Where the traffic comes from: addresses, domains, a zone, or ALL.", "ALL")
_FLOWS = _number("flowsPercent", "%", 100, "Of the connections.")
_INVOCATIONS = _number("invocationPercentage", "%", 100, "Of the invocations.")
_PREVENTS = ParameterView(
    name="preventExecution",
    type="boolean",
    required=False,
    default=True,
    description="Whether the function itself is left out.",
)
_CALLS = (
    _text("service", "The AWS service whose calls fail; FIS knows `ec2` and `kinesis`.", "ec2"),
    _text("operations", "The calls that fail, with commas."),
    _number("percentage", "%", 100, "Of the calls."),
)


def _calls_fail(kind: str, title: str) -> FisAction:
    return FisAction(
        id=f"aws:fis:inject-api-{kind}-error",
        title=title,
        kind=ROLE,
        slot="Roles",
        parameters=_CALLS,
        dose="percentage",
    )


def _pods(
    name: str, title: str, *parameters: ParameterView, dose: str | None = None, at_once: bool = False
) -> FisAction:
    return FisAction(
        id=f"aws:eks:{name}",
        title=title,
        kind=POD,
        slot="Pods",
        parameters=(_ACCOUNT, *parameters),
        duration=None if at_once else "duration",
        dose=dose,
        reversible=not at_once,
    )


def _instances(name: str, title: str, *, duration: str | None = None) -> FisAction:
    return FisAction(
        id=f"aws:ec2:{name}",
        title=title,
        kind=INSTANCE,
        slot="Instances",
        duration=duration,
        reversible=duration is not None,
    )


_ALL = (
    _pods(
        "pod-delete",
        "Delete pods",
        _number("gracePeriodSeconds", "s", 30, "What the pods have to end."),
        at_once=True,
    ),
    _pods("pod-cpu-stress", "Starve pods of CPU", _number("percent", "%", 80), dose="percent"),
    _pods("pod-memory-stress", "Starve pods of memory", _number("percent", "%", 80), dose="percent"),
    _pods(
        "pod-network-latency",
        "Delay the network of pods",
        _number("delayMilliseconds", "ms", 200),
        _number("jitterMilliseconds", "ms", 10),
        _FLOWS,
        _SOURCES,
        dose="flowsPercent",
    ),
    _pods(
        "pod-network-packet-loss",
        "Lose packets of pods",
        _number("lossPercent", "%", 7),
        _FLOWS,
        _SOURCES,
        dose="flowsPercent",
    ),
    _pods(
        "pod-network-blackhole-port",
        "Drop traffic at a port of pods",
        _text("protocol", "`tcp` or `udp`.", "tcp"),
        _text("trafficType", "`ingress` or `egress`.", "egress"),
        _number("port", ""),
    ),
    _instances(
        "stop-instances", "Stop instances, and start them again", duration="startInstancesAfterDuration"
    ),
    _instances("reboot-instances", "Reboot instances"),
    _instances("terminate-instances", "Terminate instances"),
    FisAction(
        id="aws:ec2:send-spot-instance-interruptions",
        title="Interrupt Spot instances",
        kind=SPOT,
        slot="SpotInstances",
        parameters=(
            _text("durationBeforeInterruption", "From the notice to the end: PT2M to PT15M.", "PT2M"),
        ),
        duration=None,
        reversible=False,
    ),
    FisAction(id="aws:ebs:pause-volume-io", title="Pause the I/O of volumes", kind=VOLUME, slot="Volumes"),
    FisAction(
        id="aws:rds:failover-db-cluster",
        title="Fail a database cluster over",
        kind=CLUSTER,
        slot="Clusters",
        duration=None,
        reversible=False,
    ),
    FisAction(
        id="aws:rds:reboot-db-instances",
        title="Reboot databases",
        kind=DATABASE,
        slot="DBInstances",
        parameters=(
            ParameterView(
                name="forceFailover",
                type="boolean",
                required=False,
                default=False,
                description="Whether a database in several zones fails over.",
            ),
        ),
        duration=None,
        reversible=False,
    ),
    FisAction(
        id="aws:lambda:invocation-error",
        title="Fail invocations of functions",
        kind=FUNCTION,
        slot="Functions",
        parameters=(_PREVENTS, _INVOCATIONS),
        dose="invocationPercentage",
    ),
    FisAction(
        id="aws:lambda:invocation-add-delay",
        title="Delay invocations of functions",
        kind=FUNCTION,
        slot="Functions",
        parameters=(_number("startupDelayMilliseconds", "ms", 1000), _INVOCATIONS),
        dose="invocationPercentage",
    ),
    FisAction(
        id="aws:network:disrupt-connectivity",
        title="Cut subnets off",
        kind=SUBNET,
        slot="Subnets",
        parameters=(
            _text(
                "scope", "`all`, `availability-zone`, `vpc`, `dynamodb`, `s3`, `s3express` or `prefix-list`."
            ),
            _text("prefixListIdentifier", "With the scope `prefix-list`.", required=False),
        ),
    ),
    _calls_fail("throttle", "Throttle calls of a role"),
    _calls_fail("internal", "Fail calls of a role with an internal error"),
    _calls_fail("unavailable", "Fail calls of a role as unavailable"),
)
ACTIONS: Mapping[str, FisAction] = {action.name: action for action in _ALL}
