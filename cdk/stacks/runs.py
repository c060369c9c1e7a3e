"""The runs area: tables, queues, the Lambdas of the state machine, the workers, and what a runner may do.

The API's Lambdas are in a stack of their own (runs_api).
"""

from dataclasses import dataclass

from aws_cdk import CfnOutput, Duration, Stack, aws_events, aws_events_targets, aws_iam
from aws_cdk import aws_lambda_event_sources as event_sources
from constructs import Construct

from cdk.assets import Packages
from cdk.constructs import access
from cdk.constructs.archives import Archives, ArchivesProps
from cdk.constructs.every_minute import call_every_minute
from cdk.constructs.python_function import Code, PythonFunction, PythonFunctionProps
from cdk.constructs.queue import Queue, QueueProps
from cdk.constructs.state_machine import MapData, StateMachine, StateMachineProps
from cdk.constructs.table import Index, Table, TableProps
from cdk.stacks import objects
from cdk.stacks.objects import ARTIFACTS, CHAOS, SOURCES
from cdk.stacks.platform import PlatformStack
from cdk.stacks.runs_alarms import watch_the_sweep
from cdk.stages import Stage
from crosswind.contracts.events import RUN_FINISHED
from crosswind.settings import ControlSettings, Settings, StoreSettings, TaskSettings


@dataclass(frozen=True, slots=True)
class _Limits:
    seconds: int
    memory_mib: int = 512


LAUNCH_SECONDS = 60
"""How long the launcher, in another stack, may take for a batch."""

_TASKS = {
    "plan_run": ("PlanRun", _Limits(300, 1024)),
    "ingest_shard": ("IngestShard", _Limits(300, 1024)),
    "close_stage": ("CloseStage", _Limits(120)),
    "fold_run": ("FoldRun", _Limits(890, 2048)),
    "judge_run": ("JudgeRun", _Limits(120, 1024)),
    "publish_run": ("PublishRun", _Limits(60)),
    "record_failure": ("RecordFailure", _Limits(60)),
}
_WORKERS = {
    "admit_work": ("AdmitWork", _Limits(20)),  # six times this is how long a killed one's tickets stay hidden
    "watch_run": ("WatchRun", _Limits(120, 1024)),
    "sweep_runs": ("SweepRuns", _Limits(300)),
    "recover_run": ("RecoverRun", _Limits(300, 1024)),
    "fail_dead_letters": ("FailDeadLetters", _Limits(60)),
}


class RunsStack(Stack):
    """Everything that carries a run from its execution's start to its verdict."""

    runs_table: Table
    queue_table: Table
    tests_table: Table
    live_table: Table
    admission: Queue
    executor: Queue
    launch: Queue
    watch: Queue
    live: Queue
    finished: Queue
    machine: StateMachine
    tasks: dict[str, PythonFunction]
    workers: dict[str, PythonFunction]
    recorder: PythonFunction
    archives: Archives
    runner_policy: aws_iam.ManagedPolicy
    runner_role: aws_iam.Role

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: Stage,
        packages: Packages,
        platform: PlatformStack,
    ) -> None:
        super().__init__(scope, construct_id)
        self._stage = stage
        self._platform = platform
        self._code = Code(self, packages)
        self._define_tables()
        self._define_queues()
        self._define_tasks()
        self._define_machine(packages)
        self._define_workers()
        self._feed_workers()
        self._define_recorder()
        self._define_archives()
        self._define_runner_role()
        self._grant_tasks()
        self._grant_workers()
        self._grant_recorder()
        self._add_outputs()

    def store_values(self) -> dict[str, str | int]:
        """Values of StoreSettings."""
        return {
            "stage": self._stage.name,
            "runs_table": self.runs_table.table.table_name,
            "queue_table": self.queue_table.table.table_name,
            "artifacts_bucket": self._platform.artifacts.bucket.bucket_name,
            "sources_bucket": self._platform.sources.bucket.bucket_name,
            "admission_queue_url": self.admission.queue.queue_url,
            "executor_queue_url": self.executor.queue.queue_url,
            "launch_queue_url": self.launch.queue.queue_url,
            "default_cluster": self._stage.default_cluster,
            "watch_queue_url": self.watch.queue.queue_url,
            "live_table": self.live_table.table.table_name,
            "live_queue_url": self.live.queue.queue_url,
            "event_bus_name": self._platform.bus.event_bus_name,
            "retention_days": self._stage.retention_days,
        }

    def task_settings(self) -> TaskSettings:
        """Environment of the state machine's Lambdas, and of what else works on results."""
        return TaskSettings(
            **self.store_values(),  # type: ignore[arg-type]  # one mapping of str and int fields
            tests_table=self.tests_table.table.table_name,
        )

    def control_settings(self) -> ControlSettings:
        """Environment of what starts executions or decides admissions."""
        return ControlSettings(
            **self.store_values(),  # type: ignore[arg-type]  # one mapping of str and int fields
            tests_table=self.tests_table.table.table_name,
            state_machine_arn=self.machine.machine.state_machine_arn,
            default_slots=self._stage.default_slots,
            launches_per_second=self._stage.launches_per_second,
            launch_burst=self._stage.launch_burst,
            queue_limit=self._stage.queue_limit,
        )

    @property
    def functions(self) -> dict[str, PythonFunction]:
        """Every Lambda of the stack by its module."""
        fed = {"record_history": self.recorder, "build_archive": self.archives.builder}
        return self.tasks | self.workers | fed

    def _define_tables(self) -> None:
        stage, key = self._stage, self._platform.key
        indexes = (
            Index(name="by_team", partition_key="teamKey", sort_key="createdKey"),
            Index(name="unfinished", partition_key="unfinishedKey", sort_key="runKey"),
        )
        self.runs_table = Table(self, "Runs", props=TableProps(stage=stage, key=key, indexes=indexes))
        self.queue_table = Table(self, "Queue", props=TableProps(stage=stage, key=key))
        self.tests_table = Table(self, "Tests", props=TableProps(stage=stage, key=key))
        self.live_table = Table(self, "Live", props=TableProps(stage=stage, key=key))

    def _define_queues(self) -> None:
        def hidden_for(consumer: str) -> Duration:
            return Duration.seconds(6 * _WORKERS[consumer][1].seconds)

        def queue(
            name: str,
            *,
            consumer: str | None = None,
            hidden_seconds: int = 60,
            max_receives: int,
            oldest: Duration,
        ) -> Queue:
            props = QueueProps(
                stage=self._stage,
                key=self._platform.key,
                visibility_timeout=hidden_for(consumer) if consumer else Duration.seconds(hidden_seconds),
                dead_letters_visibility_timeout=hidden_for("fail_dead_letters"),
                max_receives=max_receives,
                oldest_message_alarm=oldest,
            )
            return Queue(self, name, props=props)

        self.admission = queue(
            "Admission", consumer="admit_work", max_receives=5, oldest=Duration.minutes(10)
        )
        self.executor = queue("Executor", consumer=None, max_receives=10, oldest=Duration.minutes(10))
        # The launcher is in the pods stack.
        self.launch = queue(
            "Launch",
            hidden_seconds=6 * LAUNCH_SECONDS,
            max_receives=10,
            oldest=Duration.minutes(10),
        )
        self.watch = queue("Watch", consumer="watch_run", max_receives=5, oldest=Duration.minutes(15))

        # The fan-out is in the live stack. What waited for a minute is no news, and clients read it by REST.
        self.live = queue("LiveNews", consumer=None, max_receives=2, oldest=Duration.minutes(2))

    def _function(self, module: str, name: str, limits: _Limits, settings: Settings) -> PythonFunction:
        props = PythonFunctionProps(
            stage=self._stage,
            key=self._platform.key,
            code=self._code,
            area="runs",
            name=module,
            description=f"Crosswind runs: {module.replace('_', ' ')}",
            timeout=Duration.seconds(limits.seconds),
            memory_mib=limits.memory_mib,
            settings=(settings,),
        )
        return PythonFunction(self, name, props=props)

    def _define_tasks(self) -> None:
        settings = self.task_settings()
        self.tasks = {
            module: self._function(module, name, limits, settings)
            for module, (name, limits) in _TASKS.items()
        }

    def _define_machine(self, packages: Packages) -> None:
        props = StateMachineProps(
            stage=self._stage,
            key=self._platform.key,
            definition=packages.root / "statemachines/runs/test-run.asl.json",
            functions={name: self.tasks[module].function for module, (name, _) in _TASKS.items()},
            queues={"Admission": self.admission.queue},
            map_data=MapData(
                bucket=self._platform.artifacts.bucket,
                items=f"{ARTIFACTS}*/stages/*/tickets.jsonl",
                results=f"{ARTIFACTS}*/map/*",
            ),
            ended_badly="Executions ended without PublishRun. Recovery takes them over; look for why they ended.",
        )
        self.machine = StateMachine(self, "TestRun", props=props)

    def _define_workers(self) -> None:
        settings = self.control_settings()
        self.workers = {
            module: self._function(module, name, limits, settings)
            for module, (name, limits) in _WORKERS.items()
        }

    def _feed_workers(self) -> None:
        self._consume("admit_work", self.admission, concurrency=self._stage.admission_concurrency)
        self._consume("watch_run", self.watch, concurrency=self._stage.admission_concurrency)
        letters = self.workers["fail_dead_letters"]
        for queue in (self.admission, self.executor, self.launch):
            access.consume(letters.role, queue.dead_letters)
            letters.function.add_event_source(
                event_sources.SqsEventSource(
                    queue.dead_letters, batch_size=10, report_batch_item_failures=True
                )
            )
        self._define_rules()

    def _consume(self, module: str, queue: Queue, *, concurrency: int) -> None:
        worker = self.workers[module]
        access.consume(worker.role, queue.queue)
        worker.function.add_event_source(
            event_sources.SqsEventSource(
                queue.queue, batch_size=10, report_batch_item_failures=True, max_concurrency=concurrency
            )
        )

    def _define_rules(self) -> None:
        aws_events.Rule(
            self,
            "ExecutionEnded",
            description="An execution ended without its verdict: recover the run.",
            event_pattern=aws_events.EventPattern(
                source=["aws.states"],
                detail_type=["Step Functions Execution Status Change"],
                detail={
                    "status": ["FAILED", "TIMED_OUT", "ABORTED"],
                    "stateMachineArn": [self.machine.machine.state_machine_arn],
                },
            ),
            targets=[aws_events_targets.LambdaFunction(self.workers["recover_run"].function)],
        )
        sweep = self.workers["sweep_runs"].function
        call_every_minute(self, [sweep], description="The backstop behind watchdogs and status events.")
        if self._stage.alarms:
            watch_the_sweep(self, sweep, stage=self._stage)

    def _define_recorder(self) -> None:
        """The tests' history is told of every finished run through a queue of its own: never in a run's way."""
        limits = _Limits(300, 1769)  # 1769 MiB is a whole CPU, and packing pages is what it does
        self.recorder = self._function("record_history", "RecordHistory", limits, self.task_settings())
        hidden = Duration.seconds(6 * limits.seconds)
        props = QueueProps(
            stage=self._stage,
            key=self._platform.key,
            visibility_timeout=hidden,
            dead_letters_visibility_timeout=hidden,
            max_receives=5,
            oldest_message_alarm=Duration.hours(3),
        )
        self.finished = Queue(self, "Finished", props=props)
        access.consume(self.recorder.role, self.finished.queue)
        self.recorder.function.add_event_source(
            event_sources.SqsEventSource(self.finished.queue, batch_size=1, report_batch_item_failures=True)
        )
        aws_events.Rule(
            self,
            "RunFinished",
            description="A run has its verdict: tell the tests' history.",
            event_bus=self._platform.bus,
            event_pattern=aws_events.EventPattern(detail_type=[RUN_FINISHED]),
            targets=[aws_events_targets.SqsQueue(self.finished.queue)],
        )

    def _define_archives(self) -> None:
        props = ArchivesProps(
            stage=self._stage,
            key=self._platform.key,
            code=self._code,
            settings=self.task_settings(),
            bucket=self._platform.artifacts.bucket,
            files=ARTIFACTS,
            archives=objects.ARCHIVE_OBJECTS,
        )
        self.archives = Archives(self, "Archives", props=props)

    def _define_runner_role(self) -> None:
        """What `crosswind-runner` may do: a policy for the roles of pods, and a role for the hosts of this account."""
        policy = aws_iam.ManagedPolicy(self, "RunnerPolicy", description="A Crosswind runner's permissions")
        access.consume(policy, self.executor.queue)
        access.send(policy, self.admission.queue)
        access.write_table(policy, self.runs_table)
        access.write_table(policy, self.queue_table)
        access.glance_at_table(policy, self.live_table)  # who watches
        access.send(policy, self.live.queue)
        access.write_objects(policy, self._platform.artifacts.bucket, ARTIFACTS)
        access.tag_objects(policy, self._platform.artifacts.bucket, objects.CLASSED_OBJECTS)
        access.write_objects(policy, self._platform.sources.bucket, SOURCES)
        access.read_objects(policy, self._platform.artifacts.bucket, CHAOS)
        access.put_objects(policy, self._platform.artifacts.bucket, *objects.MONITOR_OBJECTS)
        access.answer_tokens(policy)
        access.read_alarms(policy)  # probes of experiments ask them
        access.read_metrics(policy)
        access.read_secrets(policy, f"crosswind/{self._stage.name}/")
        self.runner_policy = policy
        self.runner_role = aws_iam.Role(
            self,
            "RunnerRole",
            assumed_by=aws_iam.AccountRootPrincipal(),
            managed_policies=[policy],
            description="A Crosswind runner on a host whose own role may assume this one",
        )

    def _grant_tasks(self) -> None:
        artifacts = self._platform.artifacts.bucket
        for task in self.tasks.values():
            access.write_table(task.role, self.runs_table)
        for module in ("plan_run", "ingest_shard", "fold_run"):
            access.write_objects(self.tasks[module].role, artifacts, ARTIFACTS)
        for module in ("close_stage", "judge_run"):
            access.read_objects(self.tasks[module].role, artifacts, ARTIFACTS)
        for module in ("publish_run", "close_stage"):  # a stage's end stops the experiment beside it
            access.publish_events(self.tasks[module].role, self._platform.bus)
        for module in ("ingest_shard", "record_failure"):  # they end shards: by fail-fast, or for good
            role = self.tasks[module].role
            access.write_table(role, self.queue_table)
            access.answer_tokens(role)
            access.send(role, self.admission.queue)

    def _grant_workers(self) -> None:
        for worker in self.workers.values():
            access.write_table(worker.role, self.runs_table)
            access.write_table(worker.role, self.queue_table)
            access.answer_tokens(worker.role)
            access.send(worker.role, self.admission.queue)
        for queue in (self.executor, self.launch):
            access.send(self.workers["admit_work"].role, queue.queue)
        for module in ("watch_run", "sweep_runs", "recover_run"):
            role = self.workers[module].role
            access.send(role, self.executor.queue)
            access.send(role, self.launch.queue)
            access.send(role, self.watch.queue)
            access.manage_executions(role, self.machine.machine)
            access.write_objects(role, self._platform.artifacts.bucket, ARTIFACTS)
            access.publish_events(role, self._platform.bus)

    def let_submit(self, grantee: aws_iam.IGrantable) -> None:
        """What submitting a run takes, for the API and for what submits by itself."""
        access.write_table(grantee, self.runs_table)
        access.read_table(grantee, self.queue_table)
        access.write_objects(grantee, self._platform.artifacts.bucket, ARTIFACTS)
        access.read_objects(grantee, self._platform.sources.bucket, SOURCES)
        access.start_executions(grantee, self.machine.machine)
        access.send(grantee, self.watch.queue)

    def let_end_work(self, grantee: aws_iam.IGrantable) -> None:
        """What it takes to let time pass over leased work, to cancel it, and to answer whoever waits for it."""
        access.write_table(grantee, self.runs_table)
        access.write_table(grantee, self.queue_table)
        access.answer_tokens(grantee)
        access.send(grantee, self.admission.queue)

    def _grant_recorder(self) -> None:
        access.read_table(self.recorder.role, self.runs_table)
        access.write_table(self.recorder.role, self.tests_table)
        access.read_objects(self.recorder.role, self._platform.artifacts.bucket, ARTIFACTS)
        for module in ("plan_run", "close_stage", "fold_run", "judge_run"):
            access.read_table(self.tasks[module].role, self.tests_table)
        for module in ("watch_run", "sweep_runs", "recover_run"):  # they close runs without an execution
            access.read_table(self.workers[module].role, self.tests_table)

    def _add_outputs(self) -> None:
        environment = StoreSettings(**self.store_values()).to_env()  # type: ignore[arg-type]  # str and int fields
        CfnOutput(self, "RunnerEnvironment", value=self.to_json_string(environment))
        CfnOutput(self, "RunnerPolicyArn", value=self.runner_policy.managed_policy_arn)
        CfnOutput(self, "RunnerRoleArn", value=self.runner_role.role_arn)
        CfnOutput(self, "SweepFunctionName", value=self.workers["sweep_runs"].function.function_name)
        CfnOutput(self, "StateMachineArn", value=self.machine.machine.state_machine_arn)
