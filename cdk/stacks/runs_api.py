"""The API's Lambdas of the runs area: one per operation, with grants of its own. The gateway is in the edge stack."""

from dataclasses import asdict

from aws_cdk import Stack
from constructs import Construct

from cdk.assets import Packages
from cdk.constructs import access
from cdk.constructs.api_functions import ApiFunctionProps, api_functions
from cdk.constructs.python_function import Code, PythonFunction
from cdk.stacks.chaos import ChaosStack
from cdk.stacks.live import LiveStack
from cdk.stacks.objects import ARTIFACTS, PRICES, SOURCES
from cdk.stacks.platform import PlatformStack
from cdk.stacks.runs import RunsStack
from cdk.stacks.schedules import SchedulesStack
from cdk.stages import Stage
from crosswind.settings import ArchiveSettings, Settings

_SETS_ALARMS = ("put_schedule", "resume_schedule", "pause_schedule", "delete_schedule")
_KNOW_CHAOS = ("record_deployment", "submit_run", "create_plan")


class RunsApiStack(Stack):
    """Operations on runs, suites, schedules, triggers and the tests' history."""

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
        schedules: SchedulesStack,
        chaos: ChaosStack,
        live: LiveStack,
    ) -> None:
        super().__init__(scope, construct_id)
        self._stage = stage
        self._platform = platform
        self._runs = runs
        self._schedules = schedules
        self._chaos = chaos
        self._live = live
        self._define_functions(packages)
        self._grant_reads()
        self._grant_writes()

    def _define_functions(self, packages: Packages) -> None:
        control = self._runs.control_settings()
        archives = ArchiveSettings(
            **asdict(control), archive_queue_url=self._runs.archives.orders.queue.queue_url
        )
        special: dict[str, tuple[Settings, ...]] = {"get_archive": (archives,)}
        special |= {name: (self._schedules.settings(),) for name in _SETS_ALARMS}
        special["watch_live"] = (control, self._live.address())
        self.functions = api_functions(
            self,
            props=ApiFunctionProps(
                stage=self._stage, key=self._platform.key, code=Code(self, packages), area="runs"
            ),
            settings=(control,),
            special=special | dict.fromkeys(_KNOW_CHAOS, (control, self._chaos.control_settings())),
        )

    def _grant_reads(self) -> None:
        artifacts = self._platform.artifacts.bucket
        readers = ("list_runs", "get_run", "list_results", "list_artifacts", "get_archive", "read_logs")
        for name in (*readers, "watch_live"):
            access.read_table(self.functions[name].role, self._runs.runs_table)
        for name in ("get_queue", "get_team_queue"):
            access.read_table(self.functions[name].role, self._runs.queue_table)
        for name in ("submit_run", "create_plan"):  # is an experiment beside a stage approved?
            access.read_table(self.functions[name].role, self._chaos.table)
        report = self.functions["get_run_report"].role
        access.read_table(report, self._runs.runs_table)
        access.read_table(report, self._runs.tests_table)
        access.write_objects(report, artifacts, ARTIFACTS)
        for name in ("get_run_cost", "get_team_costs"):  # what is counted once is kept beside the run
            access.read_table(self.functions[name].role, self._runs.runs_table)
            access.write_objects(self.functions[name].role, artifacts, ARTIFACTS)
            access.read_objects(self.functions[name].role, artifacts, PRICES)
        access.read_table(self.functions["get_team_costs"].role, self._runs.tests_table)
        for name in ("list_suites", "get_suite", "list_frameworks", "get_framework", "validate_suite"):
            access.read_table(self.functions[name].role, self._runs.runs_table)
        for name in ("list_pods", "list_clusters", "get_cluster"):
            access.read_table(self.functions[name].role, self._runs.runs_table)
        for name in ("list_results", "list_artifacts", "get_archive", "read_logs"):
            access.read_objects(self.functions[name].role, artifacts, ARTIFACTS)

    def _grant_writes(self) -> None:
        runs, platform = self._runs, self._platform
        access.mark_in_table(self.functions["watch_live"].role, runs.live_table)
        for name in ("pause_run", "resume_run"):
            access.write_table(self.functions[name].role, runs.runs_table)
        for name in ("pause_run", "resume_run", "put_team_queue"):
            access.write_table(self.functions[name].role, runs.queue_table)
        for name in ("resume_run", "put_team_queue"):
            access.send(self.functions[name].role, runs.admission.queue)

        for name in ("submit_run", "cancel_run", "put_suite", "delete_suite"):
            access.write_table(self.functions[name].role, runs.runs_table)
        for name in ("put_framework", "delete_framework", "put_cluster", "delete_cluster"):
            access.write_table(self.functions[name].role, runs.runs_table)

        submit = self.functions["submit_run"].role
        access.read_table(submit, runs.queue_table)
        access.write_objects(submit, platform.artifacts.bucket, ARTIFACTS)
        access.read_objects(submit, platform.sources.bucket, SOURCES)
        access.start_executions(submit, runs.machine.machine)
        access.send(submit, runs.watch.queue)

        cancel = self.functions["cancel_run"].role
        access.write_table(cancel, runs.queue_table)
        access.answer_tokens(cancel)
        access.send(cancel, runs.admission.queue)

        runs.archives.let_order(self.functions["get_archive"])
        self._grant_reruns()
        self._grant_plans()
        self._grant_history()
        self._grant_schedules()

        create_source = self.functions["create_source"].role
        access.read_objects(create_source, platform.sources.bucket, SOURCES)  # is it there already?
        access.write_objects(create_source, platform.sources.bucket, SOURCES)

    def _grant_schedules(self) -> None:
        table = self._runs.runs_table
        for name in ("list_schedules", "get_schedule", "list_triggers", "get_trigger"):
            access.read_table(self.functions[name].role, table)
        for name in (*_SETS_ALARMS, "put_trigger", "delete_trigger", "record_deployment"):
            access.write_table(self.functions[name].role, table)
        for name in ("put_schedule", "resume_schedule"):
            self._schedules.schedules.let_set_alarms(self.functions[name].role)
        for name in ("pause_schedule", "delete_schedule"):
            self._schedules.schedules.let_clear_alarms(self.functions[name].role)
        recorder = self.functions["record_deployment"].role
        access.publish_events(recorder, self._platform.bus)
        access.write_table(recorder, self._chaos.table)  # the safety gate asks for deployments of late

    def _grant_reruns(self) -> None:
        """A rerun is planned from what the rounds before left, and begins as a run does; an explanation only reads."""
        runs, artifacts = self._runs, self._platform.artifacts.bucket
        rerun, why = (self.functions[name].role for name in ("rerun_run", "why_run"))
        access.write_table(rerun, runs.runs_table)
        access.write_table(rerun, runs.queue_table)  # a run that ended while it was paused goes on
        access.write_objects(rerun, artifacts, ARTIFACTS)
        access.start_executions(rerun, runs.machine.machine)
        access.send(rerun, runs.watch.queue)
        access.read_table(why, runs.runs_table)
        access.read_table(why, runs.tests_table)
        access.read_table(why, runs.queue_table)
        for role in (rerun, why):
            access.read_objects(role, artifacts, ARTIFACTS)

    def _grant_plans(self) -> None:
        """A plan is a run that stops before its shards: it is asked for as a run is, and read with the queue."""
        runs, platform = self._runs, self._platform
        create = self.functions["create_plan"].role
        access.write_table(create, runs.runs_table)
        access.read_table(create, runs.queue_table)
        access.write_objects(create, platform.artifacts.bucket, ARTIFACTS)
        access.read_objects(create, platform.sources.bucket, SOURCES)
        access.start_executions(create, runs.machine.machine)
        access.send(create, runs.watch.queue)

        get = self.functions["get_plan"].role
        access.read_table(get, runs.runs_table)
        access.read_table(get, runs.queue_table)
        access.read_objects(get, platform.artifacts.bucket, ARTIFACTS)

    def _grant_history(self) -> None:
        for name in ("list_flaky", "get_test_history", "list_quarantines"):
            access.read_table(self.functions[name].role, self._runs.tests_table)
        for name in ("put_quarantine", "delete_quarantine"):
            access.write_table(self.functions[name].role, self._runs.tests_table)
