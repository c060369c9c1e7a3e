"""The API's Lambdas of the chaos area: one per operation, with grants of its own. The gateway is in the edge stack."""

from aws_cdk import Stack
from constructs import Construct

from cdk.assets import Packages
from cdk.constructs import access
from cdk.constructs.api_functions import ApiFunctionProps, api_functions
from cdk.constructs.python_function import Code, PythonFunction
from cdk.stacks.chaos import ChaosStack
from cdk.stacks.objects import CHAOS
from cdk.stacks.platform import PlatformStack
from cdk.stages import Stage

_NEEDS_NO_STORE = {"list_experiment_templates"}
_WRITES = (
    "create_experiment",
    "put_experiment",
    "delete_experiment",
    "submit_experiment",
    "approve_experiment",
    "request_changes",
    "schedule_experiment",
    "start_experiment",
    "abort_experiment",
    "halt_chaos",
    "release_chaos",
    "put_chaos_policy",
    "record_incident",
)
_RESOLVES_TARGETS = ("approve_experiment", "preview_experiment")
_ABORTS = ("abort_experiment", "halt_chaos")


class ChaosApiStack(Stack):
    """Operations on experiments, their reviews and runs, the halt switch, policies and facts."""

    functions: dict[str, PythonFunction]

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: Stage,
        packages: Packages,
        platform: PlatformStack,
        chaos: ChaosStack,
    ) -> None:
        super().__init__(scope, construct_id)
        self._platform = platform
        self._chaos = chaos
        self.functions = api_functions(
            self,
            props=ApiFunctionProps(stage=stage, key=platform.key, code=Code(self, packages), area="chaos"),
            settings=(chaos.control_settings(),),
        )
        self._grant_store()
        self._grant_targets()
        self._grant_starts()
        self._grant_aborts()
        self._grant_results()

    def _grant_store(self) -> None:
        for name, function in self.functions.items():
            if name in _WRITES:
                access.write_table(function.role, self._chaos.table)
            elif name not in _NEEDS_NO_STORE:
                access.read_table(function.role, self._chaos.table)

    def _grant_targets(self) -> None:
        for name in _RESOLVES_TARGETS:
            self._chaos.let_inject(self.functions[name].role)
        self._chaos.let_ask_gate(self.functions["preview_experiment"].role)

    def _grant_starts(self) -> None:
        self._chaos.let_start_runs(self.functions["start_experiment"].role)

    def _grant_aborts(self) -> None:
        """A run that nobody carries is brought to its end by whoever aborts it."""
        for name in _ABORTS:
            role = self.functions[name].role
            self._chaos.let_carry_runs(role)
            self._chaos.schedules.let_clear_alarms(role)
        if self._chaos.fault_injection is not None:
            for name in ("halt_chaos", "release_chaos"):
                self._chaos.fault_injection.let_pull_lever(self.functions[name].role)

    def _grant_results(self) -> None:
        results = self.functions["get_experiment_results"].role
        access.read_objects(results, self._platform.artifacts.bucket, CHAOS)
