"""Live streams: the WebSocket API, the Lambdas behind it, and the fan-out of what runners push."""

from aws_cdk import CfnOutput, Duration, Stack
from aws_cdk import aws_lambda_event_sources as event_sources
from constructs import Construct

from cdk.assets import Packages
from cdk.constructs import access
from cdk.constructs.python_function import Code, PythonFunction, PythonFunctionProps
from cdk.constructs.web_socket_api import WebSocketApi, WebSocketApiProps
from cdk.stacks.platform import PlatformStack
from cdk.stacks.runs import RunsStack
from cdk.stages import Stage
from crosswind.settings import (
    AuthorizerSettings,
    Settings,
    SocketAddressSettings,
    SocketSettings,
    StoreSettings,
)

LOCAL_PATH = "/live"
"""Where the laptop's front door has the socket: clients reach the emulator through it alone."""

_SECONDS = 10
_FAN_OUT_AT_ONCE = 5
"""Lambdas: enough for some 5,000 watched shards, and no more connections posted to at once than people notice."""


class LiveStack(Stack):
    """Who watches is told within 2 s; who does not costs nothing."""

    authorizer: PythonFunction
    functions: dict[str, PythonFunction]
    socket: WebSocketApi

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: Stage,
        packages: Packages,
        platform: PlatformStack,
        runs: RunsStack,
        issuers: str,
    ) -> None:
        super().__init__(scope, construct_id)
        self._stage = stage
        self._platform = platform
        self._runs = runs
        self._code = Code(self, packages)
        self._define_functions(issuers)
        self._define_socket()
        self._tell_the_functions()
        self._feed_fan_out()
        self._grant()
        self._add_outputs()

    def address(self) -> SocketAddressSettings:
        """What clients are told."""
        local = self._stage.name == "local"
        return SocketAddressSettings(socket_url=LOCAL_PATH if local else self.socket.stage.url)

    def _define_functions(self, issuers: str) -> None:
        tokens = AuthorizerSettings(stage=self._stage.name, issuers=issuers)
        self.authorizer = self._function("platform", "authorize_socket", "AuthorizeSocket", tokens)
        stores = StoreSettings(**self._runs.store_values())  # type: ignore[arg-type]  # str and int fields
        self.functions = {
            "open_socket": self._function("runs", "open_socket", "OpenSocket"),
            "answer_socket": self._function("runs", "answer_socket", "AnswerSocket", stores),
            "fan_out": self._function("runs", "fan_out", "FanOut"),
        }

    def _function(self, area: str, module: str, name: str, *settings: Settings) -> PythonFunction:
        props = PythonFunctionProps(
            stage=self._stage,
            key=self._platform.key,
            code=self._code,
            area=area,
            name=module,
            description=f"Crosswind live: {module.replace('_', ' ')}",
            timeout=Duration.seconds(_SECONDS),
            settings=settings,
        )
        return PythonFunction(self, name, props=props)

    def _define_socket(self) -> None:
        self.socket = WebSocketApi(
            self,
            "Socket",
            props=WebSocketApiProps(
                stage=self._stage,
                key=self._platform.key,
                authorizer=self.authorizer.function,
                connections=self.functions["open_socket"].function,
                messages=self.functions["answer_socket"].function,
            ),
        )

    def _tell_the_functions(self) -> None:
        """Where the socket is: after it was made, for it is made of them."""
        settings = SocketSettings(
            stage=self._stage.name,
            live_table=self._runs.live_table.table.table_name,
            socket_api_id=self.socket.api.api_id,
            socket_stage=self.socket.stage.stage_name,
        )
        for function in self.functions.values():
            for name, value in settings.to_env().items():
                function.function.add_environment(name, value)

    def _feed_fan_out(self) -> None:
        """Batches as they come: a piece that waits for others is late."""
        worker = self.functions["fan_out"]
        access.consume(worker.role, self._runs.live.queue)
        worker.function.add_event_source(
            event_sources.SqsEventSource(
                self._runs.live.queue,
                batch_size=10,
                report_batch_item_failures=True,
                max_concurrency=_FAN_OUT_AT_ONCE,
            )
        )

    def _grant(self) -> None:
        table = self._runs.live_table
        for function in self.functions.values():
            access.write_table(function.role, table)
        answers = self.functions["answer_socket"].role
        access.read_table(answers, self._runs.runs_table)  # whose run is it?
        for name in ("answer_socket", "fan_out"):
            access.post_to_sockets(self.functions[name].role, self.socket.stage)

    def _add_outputs(self) -> None:
        CfnOutput(self, "SocketUrl", value=self.socket.stage.url)
        CfnOutput(self, "SocketApiId", value=self.socket.api.api_id)
        CfnOutput(self, "SocketStage", value=self.socket.stage.stage_name)
