"""The only place that makes a WebSocket API: a Lambda authorizer at the door, one Lambda for every message."""

import json
from dataclasses import dataclass

from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_kms, aws_lambda
from aws_cdk.aws_apigatewayv2_authorizers import WebSocketLambdaAuthorizer
from aws_cdk.aws_apigatewayv2_integrations import WebSocketLambdaIntegration
from constructs import Construct

from cdk.constructs.log_group import log_group
from cdk.stages import Stage

STAGE_NAME = "live"
_ACCESS_LOG_FORMAT = json.dumps(
    {
        name: f"$context.{name}"
        for name in ("requestId", "connectionId", "eventType", "routeKey", "status", "requestTime")
    }
)


@dataclass(frozen=True, kw_only=True)
class WebSocketApiProps:
    """Who lets in, who keeps the connections, who answers."""

    stage: Stage
    key: aws_kms.IKey
    """Encrypts the access log."""

    authorizer: aws_lambda.Function
    connections: aws_lambda.Function
    messages: aws_lambda.Function


class WebSocketApi(Construct):
    """A WebSocket API (v2). Tokens come in the header Authorization of the handshake, never in the address: logs keep addresses."""

    api: apigateway.WebSocketApi
    stage: apigateway.WebSocketStage

    def __init__(self, scope: Construct, construct_id: str, *, props: WebSocketApiProps) -> None:
        super().__init__(scope, construct_id)
        self._props = props
        self._define_api()
        self._define_stage()

    def _define_api(self) -> None:
        props = self._props
        connections = WebSocketLambdaIntegration("Connections", props.connections)
        self.api = apigateway.WebSocketApi(
            self,
            "Api",
            description=f"Crosswind {props.stage.name}: live",
            connect_route_options=apigateway.WebSocketRouteOptions(
                integration=connections,
                authorizer=WebSocketLambdaAuthorizer(
                    "Authorizer",
                    props.authorizer,
                    identity_source=["route.request.header.Authorization"],
                ),
            ),
            disconnect_route_options=apigateway.WebSocketRouteOptions(integration=connections),
            default_route_options=apigateway.WebSocketRouteOptions(
                integration=WebSocketLambdaIntegration("Messages", props.messages)
            ),
        )

    def _define_stage(self) -> None:
        stage = self._props.stage
        self.stage = apigateway.WebSocketStage(
            self,
            "Stage",
            web_socket_api=self.api,
            stage_name=STAGE_NAME,
            auto_deploy=True,
            throttle=apigateway.ThrottleSettings(
                rate_limit=stage.requests_per_second, burst_limit=stage.request_burst
            ),
        )
        if stage.gateway_logs:
            self._add_access_log()

    def _add_access_log(self) -> None:
        logs = log_group(self, "AccessLogs", stage=self._props.stage, key=self._props.key)
        made = self.stage.node.default_child
        assert isinstance(made, apigateway.CfnStage)  # noqa: S101  # CDK's own child
        made.access_log_settings = apigateway.CfnStage.AccessLogSettingsProperty(
            destination_arn=logs.log_group_arn, format=_ACCESS_LOG_FORMAT
        )
