"""Work in pods: the launcher that makes Jobs of admitted work, and the observer that looks after them.

Where the deployment has a compute stack, both are in its network, which also bounds the other clusters that they reach.
"""

from aws_cdk import CfnOutput, Duration, Stack, aws_iam
from aws_cdk import aws_lambda_event_sources as event_sources
from constructs import Construct

from cdk.assets import Packages
from cdk.constructs import access
from cdk.constructs.every_minute import call_every_minute, tell_of_silence
from cdk.constructs.python_function import Code, Place, PythonFunction, PythonFunctionProps
from cdk.constructs.service_account_trust import service_account_trust
from cdk.stacks.compute import ComputeStack
from cdk.stacks.objects import ARTIFACTS, CHAOS
from cdk.stacks.platform import PlatformStack
from cdk.stacks.runs import LAUNCH_SECONDS, RunsStack
from cdk.stages import Stage
from crosswind.runs.clusters.bundle.options import CONTROLLER
from crosswind.runs.pods.naming import SYSTEM
from crosswind.settings import ClusterCallerSettings

_OBSERVE_SECONDS = 170
_LAUNCHERS = 2


class PodsStack(Stack):
    """Launcher and observer, and the role of the controller that may stand in for the latter."""

    functions: dict[str, PythonFunction]

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: Stage,
        packages: Packages,
        platform: PlatformStack,
        runs: RunsStack,
        compute: ComputeStack | None,
    ) -> None:
        super().__init__(scope, construct_id)
        self._stage = stage
        self._platform = platform
        self._runs = runs
        self._compute = compute
        self._code = Code(self, packages)
        self.functions = {
            "launch_work": self._function("launch_work", "LaunchWork", seconds=LAUNCH_SECONDS),
            "observe_pods": self._function("observe_pods", "ObservePods", seconds=_OBSERVE_SECONDS),
        }
        self._feed_launcher()
        self._call_observer()
        for worker in self.functions.values():
            self._grant(worker.role)
            access.read_secrets(worker.role, f"crosswind-clusters/{stage.name}/")
        self.controller: aws_iam.Role | None = None
        if compute is not None:
            self.controller = self._define_controller(compute)
            compute.let_launch(self.functions["launch_work"].role)
            compute.let_observe(self.functions["observe_pods"].role)

    def _function(self, module: str, name: str, *, seconds: int) -> PythonFunction:
        settings = ClusterCallerSettings(
            **self._runs.store_values(),  # type: ignore[arg-type]  # one mapping of str and int fields
            region=self.region,
        )
        props = PythonFunctionProps(
            stage=self._stage,
            key=self._platform.key,
            code=self._code,
            area="runs",
            name=module,
            description=f"Crosswind runs: {module.replace('_', ' ')}",
            timeout=Duration.seconds(seconds),
            memory_mib=1024,
            settings=(settings,),
            place=self._place(),
        )
        return PythonFunction(self, name, props=props)

    def _place(self) -> Place | None:
        """Beside the deployment's own cluster, whose API server is private."""
        compute = self._compute
        if compute is None:
            return None
        return Place(
            vpc=compute.vpc, subnets=tuple(compute.private_subnets), group=compute.launcher_security_group
        )

    def _feed_launcher(self) -> None:
        """Two at once are the fewest that SQS can be held to; the scheduler has paced what comes."""
        launcher = self.functions["launch_work"]
        access.consume(launcher.role, self._runs.launch.queue)
        launcher.function.add_event_source(
            event_sources.SqsEventSource(
                self._runs.launch.queue,
                batch_size=10,
                report_batch_item_failures=True,
                max_concurrency=_LAUNCHERS,
            )
        )

    def _call_observer(self) -> None:
        function = self.functions["observe_pods"].function
        call_every_minute(self, [function], description="Look after the Jobs of every cluster.")
        if self._stage.alarms:
            meaning = "Nobody has looked after pods for ten minutes. Is the rule enabled?"
            tell_of_silence(self, "ObserverSilent", function, meaning=meaning)

    def _define_controller(self, compute: ComputeStack) -> aws_iam.Role:
        """Of the in-cluster controller: what the observer may, but for other clusters' credentials."""
        provider = compute.eks.provider.attr_arn
        role = aws_iam.Role(
            self,
            "Controller",
            description="The controller in the deployment's own cluster",
            assumed_by=aws_iam.WebIdentityPrincipal(provider),
        )
        made = role.node.default_child
        if not isinstance(made, aws_iam.CfnRole):
            raise TypeError("a role is made of a CfnRole")
        made.assume_role_policy_document = service_account_trust(
            compute.eks, namespace=SYSTEM, account=CONTROLLER
        )
        self._grant(role)
        CfnOutput(self, "ControllerRoleArn", value=role.role_arn)
        return role

    def _grant(self, role: aws_iam.IRole) -> None:
        artifacts = self._platform.artifacts.bucket
        self._runs.let_end_work(role)
        access.send(role, self._runs.launch.queue)
        access.read_objects(role, artifacts, ARTIFACTS)
        access.read_objects(role, artifacts, CHAOS)  # orders of monitors
