"""The chaos area: its table, the state machine that carries a run, and the workers that undo what nobody else does.

The API's Lambdas are in a stack of their own (chaos_api). The order in which things are defined is the order in which
they depend on each other: the reaper knows neither the machine nor itself, the machine's Lambdas know the reaper, and
what starts executions knows them all.
"""

from dataclasses import dataclass

from aws_cdk import CfnOutput, Duration, Stack, aws_events, aws_events_targets, aws_iam, aws_sns
from aws_cdk import aws_lambda_event_sources as event_sources
from constructs import Construct

from cdk.assets import Packages
from cdk.constructs import access
from cdk.constructs.every_minute import call_every_minute, tell_of_silence
from cdk.constructs.fault_injection import FaultInjection, FaultInjectionProps
from cdk.constructs.python_function import Code, PythonFunction, PythonFunctionProps
from cdk.constructs.queue import Queue, QueueProps
from cdk.constructs.schedules import Schedules
from cdk.constructs.state_machine import StateMachine, StateMachineProps
from cdk.constructs.table import Index, Table, TableProps
from cdk.constructs.topic import encrypted_topic
from cdk.stacks.objects import CHAOS
from cdk.stacks.platform import PlatformStack
from cdk.stacks.runs import RunsStack
from cdk.stages import Stage, Surroundings
from crosswind.contracts.events import EXPERIMENT_FINISHED, RUN_FINISHED, STAGE_MOVED
from crosswind.contracts.schedules import EventType
from crosswind.settings import ChaosControlSettings, ChaosSettings, Settings

_AT_ONCE = 2  # workers for events: a burst waits


@dataclass(frozen=True, slots=True)
class _Limits:
    seconds: int
    memory_mib: int = 512


_REAPER = "reap_experiments"
_REAPER_LIMITS = _Limits(300, 1024)
_TASKS = {
    "preflight_check": _Limits(180, 1024),
    "inject_step": _Limits(120),
    "close_step": _Limits(180),
    "recover": _Limits(240),
    "analyze": _Limits(180, 1024),
    "record_engine_failure": _Limits(60),
}
_WORKERS = {
    "start_experiments": _Limits(60),
    "watch_experiments": _Limits(300, 1024),
    "start_on_event": _Limits(60),
    "accompany_runs": _Limits(60),
}
_SUBMITS = "watch_experiments"  # runs of suites that are probes
_SETS_ALARMS = ("preflight_check", "recover", "analyze")


class ChaosStack(Stack):
    """Everything that carries an experiment from its start to its report."""

    table: Table
    watch: Queue
    events: Queue
    beside: Queue
    operators: aws_sns.Topic
    schedules: Schedules
    machine: StateMachine
    reaper: PythonFunction
    tasks: dict[str, PythonFunction]
    workers: dict[str, PythonFunction]
    fault_injection: FaultInjection | None
    """None where the stage has no AWS FIS."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: Stage,
        packages: Packages,
        surroundings: Surroundings,
        platform: PlatformStack,
        runs: RunsStack,
    ) -> None:
        super().__init__(scope, construct_id)
        self._stage = stage
        self._surroundings = surroundings
        self._platform = platform
        self._runs = runs
        self._code = Code(self, packages)
        self._define_table()
        self._define_queues()
        self._define_topic()
        self.fault_injection = self._define_fault_injection() if stage.fault_injection else None
        self._define_reaper()
        self._define_tasks()
        self._define_machine(packages)
        self._define_workers()
        self._feed_workers()
        self._define_rules()
        self._grant_tasks()
        self._grant_workers()
        self._add_outputs()

    def task_settings(self, *, reaper: str) -> ChaosSettings:
        """Environment of what the machine calls."""
        return ChaosSettings(**self._values(reaper=reaper))  # type: ignore[arg-type]  # str and int fields

    def control_settings(self) -> ChaosControlSettings:
        """Environment of what starts runs: API and workers."""
        return ChaosControlSettings(
            **self._values(reaper=self.reaper.function.function_arn),  # type: ignore[arg-type]  # as above
            chaos_machine_arn=self.machine.machine.state_machine_arn,
        )

    @property
    def functions(self) -> dict[str, PythonFunction]:
        """Every Lambda of the stack by its module."""
        return self.tasks | self.workers | {_REAPER: self.reaper}

    def let_inject(self, grantee: aws_iam.IGrantable) -> None:
        """What asking the providers takes, for previews as for faults. On a laptop it is nothing."""
        if self.fault_injection is not None:
            self.fault_injection.let_inject(grantee)

    def let_ask_gate(self, role: aws_iam.Role) -> None:
        """What looking for evidence takes: alarms, deployments, and the keys of other sources."""
        access.read_alarms(role)
        access.read_deployments(role)
        access.read_secrets(role, f"{self._secrets}_deployment/")

    def let_carry_runs(self, role: aws_iam.Role) -> None:
        """What it takes to move a run on, to end its monitor, and to tell people: for whoever may come to it."""
        access.write_table(role, self.table)
        self._runs.let_end_work(role)
        access.write_objects(role, self._platform.artifacts.bucket, CHAOS)
        access.send(role, self.watch.queue)
        access.publish_events(role, self._platform.bus)
        access.notify(role, self.operators)
        access.read_secrets(role, self._secrets)  # addresses of teams' webhooks

    def let_start_runs(self, role: aws_iam.Role) -> None:
        """What it takes to begin a run."""
        access.write_table(role, self.table)
        access.start_executions(role, self.machine.machine)
        access.send(role, self.watch.queue)
        access.publish_events(role, self._platform.bus)

    @property
    def _secrets(self) -> str:
        return f"crosswind/{self._stage.name}/"

    def _values(self, *, reaper: str) -> dict[str, str | int]:
        """Values of ChaosSettings."""
        fis, around = self.fault_injection, self._surroundings
        alarms = [fis.unwatched.alarm_arn, around.fis_stop_alarms] if fis else []
        return {
            **vars(self._runs.task_settings()),
            "chaos_table": self.table.table.table_name,
            "chaos_watch_queue_url": self.watch.queue.queue_url,
            "chaos_watch_queue_arn": self.watch.queue.queue_arn,
            "chaos_schedule_group": self.schedules.group_name,
            "chaos_schedule_role_arn": self.schedules.role.role_arn,
            "reap_function_arn": reaper,
            "operators_topic_arn": self.operators.topic_arn,
            "providers": around.providers(self._stage),
            "toxiproxy_url": around.toxiproxy_url,
            "process_home": around.process_home,
            "fis_role_arn": fis.role.role_arn if fis else "",
            "fis_log_group_arn": fis.log_group_arn if fis else "",
            "fis_stop_alarm_arns": ",".join(filter(None, alarms)),
            "refused_addresses": around.refused_addresses,
        }

    def _define_table(self) -> None:
        indexes = (
            Index(name="by_team", partition_key="teamKey", sort_key="createdKey"),
            Index(name="unfinished", partition_key="unfinishedKey", sort_key="runKey"),
            Index(name="due", partition_key="dueKey", sort_key="dueAt"),
        )
        props = TableProps(stage=self._stage, key=self._platform.key, indexes=indexes)
        self.table = Table(self, "Chaos", props=props)

    def _define_queues(self) -> None:
        def queue(name: str, *, consumer: str, oldest: Duration) -> Queue:
            hidden = Duration.seconds(6 * _WORKERS[consumer].seconds)
            props = QueueProps(
                stage=self._stage,
                key=self._platform.key,
                visibility_timeout=hidden,
                dead_letters_visibility_timeout=hidden,
                max_receives=5,
                oldest_message_alarm=oldest,
            )
            return Queue(self, name, props=props)

        self.watch = queue("ExperimentWatch", consumer="watch_experiments", oldest=Duration.minutes(3))
        self.events = queue("ExperimentEvents", consumer="start_on_event", oldest=Duration.minutes(30))
        self.beside = queue("SuiteEvents", consumer="accompany_runs", oldest=Duration.minutes(3))

    def _define_topic(self) -> None:
        self.operators = encrypted_topic(
            self,
            "Operators",
            key=self._platform.key,
            description=f"Crosswind {self._stage.name}: experiments that people must know of",
        )

    def _define_fault_injection(self) -> FaultInjection:
        props = FaultInjectionProps(stage=self._stage, key=self._platform.key, watch_queue=self.watch.queue)
        return FaultInjection(self, "FaultInjection", props=props)

    def _function(self, module: str, limits: _Limits, *settings: Settings) -> PythonFunction:
        props = PythonFunctionProps(
            stage=self._stage,
            key=self._platform.key,
            code=self._code,
            area="chaos",
            name=module,
            description=f"Crosswind chaos: {module.replace('_', ' ')}",
            timeout=Duration.seconds(limits.seconds),
            memory_mib=limits.memory_mib,
            settings=settings,
        )
        return PythonFunction(self, _title(module), props=props)

    def _define_reaper(self) -> None:
        """It undoes and analyses by itself. It sets no alarm, so it need not know its own address."""
        self.schedules = Schedules(self, "ExperimentSchedules", purpose="the reaper, and the watch queue")
        self.reaper = self._function(_REAPER, _REAPER_LIMITS, self.task_settings(reaper=""))
        self.schedules.let_call(self.reaper.function)
        self.schedules.let_send(self.watch.queue)

    def _define_tasks(self) -> None:
        settings = self.task_settings(reaper=self.reaper.function.function_arn)
        self.tasks = {module: self._function(module, limits, settings) for module, limits in _TASKS.items()}

    def _define_machine(self, packages: Packages) -> None:
        props = StateMachineProps(
            stage=self._stage,
            key=self._platform.key,
            definition=packages.root / "statemachines/chaos/experiment.asl.json",
            functions={_title(module): task.function for module, task in self.tasks.items()},
            queues={"Admission": self._runs.admission.queue},
            ended_badly="Executions of experiments ended early. The reaper undoes their faults; look for why they ended.",
        )
        self.machine = StateMachine(self, "Experiment", props=props)

    def _define_workers(self) -> None:
        settings, submits = self.control_settings(), self._runs.control_settings()
        self.workers = {
            module: self._function(module, limits, settings, *([submits] if module == _SUBMITS else []))
            for module, limits in _WORKERS.items()
        }

    def _feed_workers(self) -> None:
        for module, queue, batch in (
            ("watch_experiments", self.watch, 1),
            ("start_on_event", self.events, 10),
            ("accompany_runs", self.beside, 10),
        ):
            worker = self.workers[module]
            access.consume(worker.role, queue.queue)
            worker.function.add_event_source(
                event_sources.SqsEventSource(
                    queue.queue,
                    batch_size=batch,
                    report_batch_item_failures=True,
                    max_concurrency=self._stage.watchers if queue is self.watch else _AT_ONCE,
                )
            )

    def _define_rules(self) -> None:
        aws_events.Rule(
            self,
            "DomainEvents",
            description="Events that experiments may start on.",
            event_bus=self._platform.bus,
            event_pattern=aws_events.EventPattern(detail_type=[each.value for each in EventType]),
            targets=[aws_events_targets.SqsQueue(self.events.queue)],
        )
        aws_events.Rule(
            self,
            "SuiteEventsRule",
            description="Stages that experiments run beside, and the ends of both.",
            event_bus=self._platform.bus,
            event_pattern=aws_events.EventPattern(
                detail_type=[STAGE_MOVED, RUN_FINISHED, EXPERIMENT_FINISHED]
            ),
            targets=[aws_events_targets.SqsQueue(self.beside.queue)],
        )
        call_every_minute(
            self,
            [self.reaper.function, self.workers["start_experiments"].function],
            description="Undoes what nobody else undid, and starts what is due.",
        )
        if self._stage.alarms:
            meaning = "Nobody has looked for forgotten faults for ten minutes: halt chaos, and see whether the rule is enabled."
            tell_of_silence(self, "ReaperSilent", self.reaper.function, meaning=meaning)

    def _grant_tasks(self) -> None:
        for function in (*self.tasks.values(), self.reaper):
            self.let_carry_runs(function.role)
        for module in ("preflight_check", "inject_step"):
            self.let_ask_gate(self.tasks[module].role)
        for module in ("preflight_check", "inject_step", "close_step", "recover"):
            self.let_inject(self.tasks[module].role)
        for module in _SETS_ALARMS:
            self.schedules.let_set_alarms(self.tasks[module].role)
            self.schedules.let_clear_alarms(self.tasks[module].role)
        self.let_inject(self.reaper.role)
        access.send(self.reaper.role, self._runs.executor.queue)  # a monitor that never arrived is sent again
        self.schedules.let_clear_alarms(self.reaper.role)

    def _grant_workers(self) -> None:
        for worker in self.workers.values():
            self.let_start_runs(worker.role)
        watcher = self.workers["watch_experiments"].role  # it may come to do what any of the others does
        self.let_carry_runs(watcher)
        self.let_ask_gate(watcher)
        self.let_inject(watcher)
        access.send(watcher, self._runs.executor.queue)
        self._runs.let_submit(watcher)
        beside = self.workers["accompany_runs"].role  # it aborts, and closes what no execution is in
        self.let_carry_runs(beside)
        self.schedules.let_clear_alarms(beside)
        for module in ("watch_experiments", "start_experiments"):
            self.schedules.let_set_alarms(self.workers[module].role)
            self.schedules.let_clear_alarms(self.workers[module].role)

    def _add_outputs(self) -> None:
        CfnOutput(self, "ExperimentMachineArn", value=self.machine.machine.state_machine_arn)
        CfnOutput(self, "OperatorsTopicArn", value=self.operators.topic_arn)
        CfnOutput(self, "ReapFunctionName", value=self.reaper.function.function_name)


def _title(module: str) -> str:
    return module.title().replace("_", "")
