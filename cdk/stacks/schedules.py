"""What starts runs by itself: the alarms of schedules, the events that triggers wait for, and the two workers behind them."""

from aws_cdk import Duration, Stack, aws_events, aws_events_targets
from aws_cdk import aws_lambda_event_sources as event_sources
from constructs import Construct

from cdk.assets import Packages
from cdk.constructs import access
from cdk.constructs.every_minute import call_every_minute, tell_of_silence
from cdk.constructs.python_function import Code, PythonFunction, PythonFunctionProps
from cdk.constructs.queue import Queue, QueueProps
from cdk.constructs.schedules import Schedules
from cdk.stacks.platform import PlatformStack
from cdk.stacks.runs import RunsStack
from cdk.stages import Stage
from crosswind.contracts.schedules import EventType
from crosswind.settings import ScheduleSettings

_SECONDS = 60
_AT_ONCE = 2  # workers for triggers: a burst of events waits in the queue


class SchedulesStack(Stack):
    """Alarms, triggers, and who fires them."""

    firing: dict[str, PythonFunction]
    schedules: Schedules
    events: Queue

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: Stage,
        packages: Packages,
        platform: PlatformStack,
        runs: RunsStack,
    ) -> None:
        super().__init__(scope, construct_id)
        self._stage = stage
        self._platform = platform
        self._runs = runs
        self._code = Code(self, packages)
        self._define_functions()
        self._define_schedules()
        self._define_backstop()
        self._define_events()
        self._feed_triggers()
        self._grant()

    def settings(self) -> ScheduleSettings:
        """Environment of what sets and clears alarms."""
        return ScheduleSettings(
            **vars(self._runs.control_settings()),
            schedule_group=self.schedules.group_name,
            schedule_role_arn=self.schedules.role.role_arn,
            schedule_function_arn=self.firing["fire_schedules"].function.function_arn,
        )

    def _function(self, module: str, name: str) -> PythonFunction:
        props = PythonFunctionProps(
            stage=self._stage,
            key=self._platform.key,
            code=self._code,
            area="runs",
            name=module,
            description=f"Crosswind runs: {module.replace('_', ' ')}",
            timeout=Duration.seconds(_SECONDS),
            memory_mib=1024,
            settings=(self._runs.control_settings(),),
        )
        return PythonFunction(self, name, props=props)

    def _define_functions(self) -> None:
        self.firing = {
            "fire_schedules": self._function("fire_schedules", "FireSchedules"),
            "fire_triggers": self._function("fire_triggers", "FireTriggers"),
        }

    def _define_schedules(self) -> None:
        self.schedules = Schedules(self, "Schedules", purpose="the function that fires schedules")
        self.schedules.let_call(self.firing["fire_schedules"].function)

    def _define_backstop(self) -> None:
        function = self.firing["fire_schedules"].function
        call_every_minute(
            self, [function], description="The backstop behind the alarms: schedules that are overdue."
        )
        if self._stage.alarms:
            meaning = "Nobody has looked for overdue schedules for ten minutes. Is the rule enabled?"
            tell_of_silence(self, "BackstopSilent", function, meaning=meaning)

    def _define_events(self) -> None:
        props = QueueProps(
            stage=self._stage,
            key=self._platform.key,
            visibility_timeout=Duration.seconds(6 * _SECONDS),
            dead_letters_visibility_timeout=Duration.seconds(6 * _SECONDS),
            max_receives=5,
            oldest_message_alarm=Duration.minutes(30),
        )
        self.events = Queue(self, "Events", props=props)
        aws_events.Rule(
            self,
            "DomainEvents",
            description="Events that triggers may wait for.",
            event_bus=self._platform.bus,
            event_pattern=aws_events.EventPattern(detail_type=[each.value for each in EventType]),
            targets=[aws_events_targets.SqsQueue(self.events.queue)],
        )

    def _feed_triggers(self) -> None:
        worker = self.firing["fire_triggers"]
        access.consume(worker.role, self.events.queue)
        worker.function.add_event_source(
            event_sources.SqsEventSource(
                self.events.queue, batch_size=10, report_batch_item_failures=True, max_concurrency=_AT_ONCE
            )
        )

    def _grant(self) -> None:
        for worker in self.firing.values():
            self._runs.let_submit(worker.role)
        replacing = self.firing["fire_schedules"].role  # a schedule may cancel its last run
        access.write_table(replacing, self._runs.queue_table)
        access.answer_tokens(replacing)
        access.send(replacing, self._runs.admission.queue)
