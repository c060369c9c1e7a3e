"""The API: one Lambda per operation with grants of its own, the authorizer, the gateway and its firewall."""

from aws_cdk import Annotations, CfnOutput, Duration, Stack
from constructs import Construct

from cdk.assets import Packages
from cdk.constructs import access
from cdk.constructs.alarm import add_alarm
from cdk.constructs.python_function import Code, PythonFunction, PythonFunctionProps
from cdk.constructs.rest_api import RestApi, RestApiProps
from cdk.constructs.web_firewall import WebFirewall, WebFirewallProps
from cdk.stacks.platform import PlatformStack
from cdk.stacks.runs import ARTIFACTS, SOURCES, RunsStack
from cdk.stacks.schedules import SchedulesStack
from cdk.stages import Stage
from crosswind.contracts.api import ROUTES
from crosswind.settings import AuthorizerSettings, Settings

_API_SECONDS = 29
_SETS_ALARMS = ("put_schedule", "resume_schedule", "pause_schedule", "delete_schedule")


class EdgeStack(Stack):
    """What clients reach."""

    authorizer: PythonFunction
    functions: dict[str, PythonFunction]
    api: RestApi

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
        issuers: str,
    ) -> None:
        super().__init__(scope, construct_id)
        self._stage = stage
        self._platform = platform
        self._runs = runs
        self._schedules = schedules
        self._code = Code(self, packages)
        self._define_authorizer(issuers)
        self._define_functions()
        self._grant_reads()
        self._grant_writes()
        self._define_api()
        if stage.web_firewall:
            self._define_firewall()
        if stage.alarms:
            self._add_alarms()
        self._add_outputs()

    def _function(self, area: str, module: str, *, settings: Settings | None) -> PythonFunction:
        props = PythonFunctionProps(
            stage=self._stage,
            key=self._platform.key,
            code=self._code,
            area=area,
            name=module,
            description=f"Crosswind API: {module.replace('_', ' ')}",
            timeout=Duration.seconds(_API_SECONDS),
            memory_mib=1024,
            settings=settings,
        )
        return PythonFunction(self, module.title().replace("_", ""), props=props)

    def _define_authorizer(self, issuers: str) -> None:
        if issuers == "[]":
            Annotations.of(self).add_warning_v2(
                "crosswind:no-issuer",
                "No identity issuer is configured, so every request will be refused: pass -c issuers='[{...}]'",
            )
        settings = AuthorizerSettings(stage=self._stage.name, issuers=issuers)
        self.authorizer = self._function("platform", "authorize", settings=settings)

    def _define_functions(self) -> None:
        settings = {"runs": self._runs.control_settings(), "platform": None}
        special = dict.fromkeys(_SETS_ALARMS, self._schedules.settings())
        self.functions = {
            route.function: self._function(
                route.area, route.function, settings=special.get(route.function, settings[route.area])
            )
            for route in ROUTES
        }

    def _grant_reads(self) -> None:
        artifacts = self._platform.artifacts.bucket
        for name in ("list_runs", "get_run", "list_results", "list_artifacts", "read_logs"):
            access.read_table(self.functions[name].role, self._runs.runs_table)
        for name in ("get_queue", "get_team_queue"):
            access.read_table(self.functions[name].role, self._runs.queue_table)
        for name in ("list_suites", "get_suite"):
            access.read_table(self.functions[name].role, self._runs.runs_table)
        for name in ("list_results", "list_artifacts", "read_logs"):
            access.read_objects(self.functions[name].role, artifacts, ARTIFACTS)

    def _grant_writes(self) -> None:
        runs, platform = self._runs, self._platform
        for name in ("pause_run", "resume_run"):
            access.write_table(self.functions[name].role, runs.runs_table)
        for name in ("pause_run", "resume_run", "put_team_queue"):
            access.write_table(self.functions[name].role, runs.queue_table)
        for name in ("resume_run", "put_team_queue"):
            access.send(self.functions[name].role, runs.admission.queue)

        for name in ("submit_run", "cancel_run", "put_suite", "delete_suite"):
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
        access.publish_events(self.functions["record_deployment"].role, self._platform.bus)

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

    def _define_api(self) -> None:
        self.api = RestApi(
            self,
            "Rest",
            props=RestApiProps(
                stage=self._stage,
                key=self._platform.key,
                routes=ROUTES,
                functions={name: each.function for name, each in self.functions.items()},
                authorizer=self.authorizer.function,
            ),
        )

    def _define_firewall(self) -> None:
        WebFirewall(
            self,
            "WebFirewall",
            props=WebFirewallProps(
                resource_arn=self.api.api.deployment_stage.stage_arn,
                requests_per_five_minutes=self._stage.firewall_requests_per_five_minutes,
            ),
        )

    def _add_alarms(self) -> None:
        add_alarm(
            self,
            "ServerErrors",
            metric=self.api.api.metric_server_error(period=Duration.minutes(5), statistic="Sum"),
            above=5,
            meaning="The API answers with server errors: see the access log for the operation, then its log group.",
        )

    def _add_outputs(self) -> None:
        CfnOutput(self, "ApiUrl", value=self.api.api.url)
        CfnOutput(self, "ApiId", value=self.api.api.rest_api_id)
        CfnOutput(self, "ApiStage", value=self.api.api.deployment_stage.stage_name)
