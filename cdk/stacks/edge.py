"""What clients reach: the gateway with its firewall, the authorizer, and the Lambdas that need nothing of any area.

The other operations' Lambdas are in a stack for each area: the gateway alone has a third of the resources that
CloudFormation takes in one stack.
"""

from collections.abc import Mapping

from aws_cdk import Annotations, CfnOutput, Duration, Stack
from constructs import Construct

from cdk.assets import Packages
from cdk.constructs.alarm import add_alarm
from cdk.constructs.api_functions import ApiFunctionProps, api_function, api_functions
from cdk.constructs.python_function import Code, PythonFunction
from cdk.constructs.rest_api import RestApi, RestApiProps
from cdk.constructs.web_firewall import WebFirewall, WebFirewallProps
from cdk.stacks.platform import PlatformStack
from cdk.stages import Stage
from crosswind.contracts.api import ROUTES
from crosswind.settings import AuthorizerSettings


class EdgeStack(Stack):
    """The gateway in front of every area's operations."""

    authorizer: PythonFunction
    functions: dict[str, PythonFunction]
    """Those of the platform area, which live here."""
    api: RestApi

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: Stage,
        packages: Packages,
        platform: PlatformStack,
        operations: Mapping[str, PythonFunction],
        issuers: str,
    ) -> None:
        super().__init__(scope, construct_id)
        self._stage = stage
        self._platform = platform
        self._props = ApiFunctionProps(
            stage=stage, key=platform.key, code=Code(self, packages), area="platform"
        )
        self._define_authorizer(issuers)
        self.functions = api_functions(self, props=self._props)
        self._define_api(operations)
        if stage.web_firewall:
            self._define_firewall()
        if stage.alarms:
            self._add_alarms()
        self._add_outputs()

    def _define_authorizer(self, issuers: str) -> None:
        if issuers == "[]":
            Annotations.of(self).add_warning_v2(
                "crosswind:no-issuer",
                "No identity issuer is configured, so every request will be refused: pass -c issuers='[{...}]'",
            )
        settings = AuthorizerSettings(stage=self._stage.name, issuers=issuers)
        self.authorizer = api_function(self, "authorize", props=self._props, settings=(settings,))

    def _define_api(self, operations: Mapping[str, PythonFunction]) -> None:
        functions = {**operations, **self.functions}
        self.api = RestApi(
            self,
            "Rest",
            props=RestApiProps(
                stage=self._stage,
                key=self._platform.key,
                routes=ROUTES,
                functions={name: each.function for name, each in functions.items()},
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
