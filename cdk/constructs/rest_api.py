"""The only place that makes a REST API: routes from the contracts' table, every gateway error as a problem document."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aws_cdk import Duration, RemovalPolicy, aws_kms, aws_lambda
from aws_cdk import aws_apigateway as apigateway
from constructs import Construct

from cdk.constructs.log_group import log_group
from cdk.stages import Stage
from crosswind.contracts.api import Route
from crosswind.contracts.problems import PROBLEM_MEDIA_TYPE, PROBLEM_TYPE_BASE

STAGE_NAME = "main"  # the URL's first part, the same everywhere: the routes start with /api/v1


@dataclass(frozen=True, slots=True)
class _GatewayProblem:
    response: apigateway.ResponseType
    status: int
    slug: str
    title: str
    detail: str


_T = apigateway.ResponseType
GATEWAY_PROBLEMS: Sequence[_GatewayProblem] = (
    _GatewayProblem(
        _T.UNAUTHORIZED, 401, "unauthenticated", "Sign in first", "There is no token in the request."
    ),
    _GatewayProblem(
        _T.ACCESS_DENIED, 403, "forbidden", "Not allowed", "The token is not valid here, or has expired."
    ),
    _GatewayProblem(
        _T.EXPIRED_TOKEN, 403, "forbidden", "Not allowed", "The token has expired; sign in again."
    ),
    _GatewayProblem(_T.WAF_FILTERED, 403, "filtered", "Not allowed", "The web firewall refused the request."),
    _GatewayProblem(
        _T.MISSING_AUTHENTICATION_TOKEN, 404, "not-found", "Not found", "There is no such path or method."
    ),
    _GatewayProblem(_T.RESOURCE_NOT_FOUND, 404, "not-found", "Not found", "There is no such path."),
    _GatewayProblem(
        _T.REQUEST_TOO_LARGE, 413, "too-large", "Too large", "The request is larger than the gateway takes."
    ),
    _GatewayProblem(
        _T.UNSUPPORTED_MEDIA_TYPE,
        415,
        "media-type",
        "Unknown media type",
        "Send JSON, or YAML where it is told.",
    ),
    _GatewayProblem(
        _T.THROTTLED, 429, "throttled", "Too many requests", "Wait a moment, then try again more slowly."
    ),
    _GatewayProblem(
        _T.QUOTA_EXCEEDED, 429, "quota", "Too many requests", "The quota of this period is used up."
    ),
    _GatewayProblem(
        _T.AUTHORIZER_FAILURE, 500, "internal", "Internal error", "The token could not be checked. Try again."
    ),
    _GatewayProblem(
        _T.AUTHORIZER_CONFIGURATION_ERROR,
        500,
        "internal",
        "Internal error",
        "The token could not be checked.",
    ),
    _GatewayProblem(
        _T.INTEGRATION_FAILURE,
        502,
        "bad-gateway",
        "Bad gateway",
        "The function gave no usable answer. Try again.",
    ),
    _GatewayProblem(
        _T.INTEGRATION_TIMEOUT,
        504,
        "timeout",
        "Timeout",
        "The function took longer than 29 seconds. Try again.",
    ),
)
_DEFAULTS = (
    (_T.DEFAULT_4_XX, "bad-request", "The request cannot be carried out"),
    (_T.DEFAULT_5_XX, "internal", "Internal error"),
)

_ACCESS_LOG_FORMAT = apigateway.AccessLogFormat.json_with_standard_fields(
    caller=False,
    http_method=True,
    ip=True,
    protocol=True,
    request_time=True,
    resource_path=True,
    response_length=True,
    status=True,
    user=False,
)


@dataclass(frozen=True, kw_only=True)
class RestApiProps:
    """Routes, and the Lambda that answers each."""

    stage: Stage
    key: aws_kms.IKey
    """Encrypts the access log."""

    routes: Sequence[Route]
    functions: Mapping[str, aws_lambda.Function]
    authorizer: aws_lambda.Function


class RestApi(Construct):
    """A REST API (v1) whose only guard is the Lambda authorizer; public routes are documents."""

    api: apigateway.RestApi
    public_methods: list[apigateway.Method]
    methods: list[apigateway.Method]

    def __init__(self, scope: Construct, construct_id: str, *, props: RestApiProps) -> None:
        super().__init__(scope, construct_id)
        self._props = props
        self._define_api()
        self._define_authorizer()
        self._add_routes()
        self._add_gateway_responses()
        self._add_usage_plan()

    def _define_api(self) -> None:
        stage = self._props.stage
        self.api = apigateway.RestApi(
            self,
            "Api",
            description=f"Crosswind {stage.name}",
            endpoint_types=[apigateway.EndpointType.REGIONAL],
            deploy_options=self._stage_options(),
            cloud_watch_role=stage.gateway_logs,
            cloud_watch_role_removal_policy=RemovalPolicy.RETAIN if stage.gateway_logs else None,
        )

    def _stage_options(self) -> apigateway.StageOptions:
        stage = self._props.stage
        logged = stage.gateway_logs
        return apigateway.StageOptions(
            stage_name=STAGE_NAME,
            throttling_rate_limit=stage.requests_per_second,
            throttling_burst_limit=stage.request_burst,
            tracing_enabled=stage.tracing,
            access_log_destination=self._access_logs() if logged else None,
            access_log_format=_ACCESS_LOG_FORMAT if logged else None,
            logging_level=apigateway.MethodLoggingLevel.ERROR if logged else None,
            data_trace_enabled=False,
            metrics_enabled=logged,
        )

    def _access_logs(self) -> apigateway.LogGroupLogDestination:
        logs = log_group(self, "AccessLogs", stage=self._props.stage, key=self._props.key)
        return apigateway.LogGroupLogDestination(logs)

    def _define_authorizer(self) -> None:
        self._authorizer = apigateway.TokenAuthorizer(
            self,
            "Authorizer",
            handler=self._props.authorizer,
            identity_source=apigateway.IdentitySource.header("Authorization"),
            results_cache_ttl=Duration.seconds(self._props.stage.authorizer_cache_seconds),
        )

    def _add_routes(self) -> None:
        self.methods, self.public_methods = [], []
        for route in self._props.routes:
            resource = self.api.root.resource_for_path(route.path)
            integration = apigateway.LambdaIntegration(
                self._props.functions[route.function],
                proxy=True,
                allow_test_invoke=False,
                timeout=Duration.seconds(29),
            )
            if route.public:
                method = resource.add_method(
                    route.method, integration, authorization_type=apigateway.AuthorizationType.NONE
                )
                self.public_methods.append(method)
            else:
                method = resource.add_method(
                    route.method,
                    integration,
                    authorization_type=apigateway.AuthorizationType.CUSTOM,
                    authorizer=self._authorizer,
                )
                self.methods.append(method)

    def _add_gateway_responses(self) -> None:
        for problem in GATEWAY_PROBLEMS:
            body = {
                "type": f"{PROBLEM_TYPE_BASE}{problem.slug}",
                "title": problem.title,
                "status": problem.status,
                "detail": problem.detail,
            }
            self._respond(problem.response, body, status=problem.status)
        for response, slug, title in _DEFAULTS:
            self._respond(response, {"type": f"{PROBLEM_TYPE_BASE}{slug}", "title": title}, status=None)

    def _respond(
        self, response: apigateway.ResponseType, body: dict[str, object], *, status: int | None
    ) -> None:
        template = json.dumps(body)[:-1]
        if status is None:
            template += ', "status": $context.status, "detail": $context.error.messageString'
        template += ', "requestId": "$context.requestId"}'
        headers = {"Content-Type": f"'{PROBLEM_MEDIA_TYPE}'"}
        if status == 429:  # noqa: PLR2004
            headers["Retry-After"] = "'5'"
        self.api.add_gateway_response(
            response.response_type.title().replace("_", ""),
            type=response,
            status_code=str(status) if status else None,
            response_headers=headers,
            templates={"application/json": template},
        )

    def _add_usage_plan(self) -> None:
        stage = self._props.stage
        self.api.add_usage_plan(
            "UsagePlan",
            description="Limits of a client that is given an API key; the stage's own throttle holds for all.",
            throttle=apigateway.ThrottleSettings(
                rate_limit=stage.requests_per_second, burst_limit=stage.request_burst
            ),
            quota=apigateway.QuotaSettings(limit=stage.requests_per_day, period=apigateway.Period.DAY),
            api_stages=[apigateway.UsagePlanPerApiStage(api=self.api, stage=self.api.deployment_stage)],
        )
