"""The only place that makes a Lambda function: one module of `functions/<area>`, a role of its own, logs that end."""

from dataclasses import dataclass

from aws_cdk import AssetHashType, Duration, aws_ec2, aws_iam, aws_kms, aws_lambda
from constructs import Construct

from cdk.assets import Package, Packages
from cdk.constructs.alarm import add_alarm
from cdk.constructs.log_group import log_group
from cdk.stages import Stage
from crosswind.settings import Settings

RUNTIME = aws_lambda.Runtime.PYTHON_3_13


class MissingHandlerError(Exception):
    """A stack names a function whose module does not exist."""


class Code:
    """The layers and packages that a stack's functions share: one layer version and one asset per area for each stack."""

    def __init__(self, scope: Construct, packages: Packages) -> None:
        self._packages = packages
        self.layers = [
            aws_lambda.LayerVersion(
                scope,
                name,
                code=_code(package),
                compatible_runtimes=[RUNTIME],
                compatible_architectures=[aws_lambda.Architecture.X86_64],
                description=meaning,
            )
            for name, package, meaning in (
                ("CoreLayer", packages.core(), "Crosswind"),
                ("DependencyLayer", packages.dependencies(), "What Crosswind needs beside the AWS SDK"),
            )
        ]

    def of(self, area: str, name: str) -> aws_lambda.Code:
        """The package of an area that holds this module. Raises MissingHandlerError."""
        path = self._packages.root / "functions" / area / f"{name}.py"
        if not path.is_file():
            raise MissingHandlerError(
                f"functions/{area}/{name}.py does not exist; a stack needs its `handler`"
            )
        return _code(self._packages.functions(area))


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where in a network a function runs."""

    vpc: aws_ec2.IVpc
    subnets: tuple[aws_ec2.ISubnet, ...]
    group: aws_ec2.ISecurityGroup


@dataclass(frozen=True, kw_only=True)
class PythonFunctionProps:
    """Which module, with which limits and which environment."""

    stage: Stage
    key: aws_kms.IKey
    """Encrypts the function's log."""

    code: Code
    area: str
    name: str
    description: str
    timeout: Duration
    settings: tuple[Settings, ...] = ()
    memory_mib: int = 512
    place: Place | None = None
    """None: outside of any network of ours."""


class PythonFunction(Construct):
    """`functions/<area>/<name>.py` as a Lambda. It may write its own logs; everything else is granted by the stack."""

    function: aws_lambda.Function
    role: aws_iam.Role

    def __init__(self, scope: Construct, construct_id: str, *, props: PythonFunctionProps) -> None:
        super().__init__(scope, construct_id)
        self._props = props
        self._define_log_group()
        self._define_role()
        self._define_function()
        if props.stage.alarms:
            self._add_alarms()

    def _define_log_group(self) -> None:
        self._log_group = log_group(self, "Logs", stage=self._props.stage, key=self._props.key)

    def _define_role(self) -> None:
        self.role = aws_iam.Role(
            self,
            "Role",
            assumed_by=aws_iam.ServicePrincipal("lambda.amazonaws.com"),
            description=f"Lambda {self._props.area}/{self._props.name}",
        )
        self._log_group.grant(self.role, "logs:CreateLogStream", "logs:PutLogEvents")

    def _define_function(self) -> None:
        props = self._props
        environment = {
            "POWERTOOLS_SERVICE_NAME": "crosswind",
            "POWERTOOLS_LOG_LEVEL": "INFO",
            **{name: value for each in props.settings for name, value in each.to_env().items()},
        }
        place = props.place
        self.function = aws_lambda.Function(
            self,
            "Function",
            runtime=RUNTIME,
            architecture=aws_lambda.Architecture.X86_64,
            code=props.code.of(props.area, props.name),
            handler=f"{props.name}.handler",
            layers=props.code.layers,
            role=self.role,
            log_group=self._log_group,
            environment=environment,
            timeout=props.timeout,
            memory_size=props.memory_mib,
            tracing=aws_lambda.Tracing.ACTIVE if props.stage.tracing else aws_lambda.Tracing.DISABLED,
            description=props.description,
            vpc=place.vpc if place else None,
            vpc_subnets=aws_ec2.SubnetSelection(subnets=list(place.subnets)) if place else None,
            security_groups=[place.group] if place else None,
        )

    def _add_alarms(self) -> None:
        minutes = Duration.minutes(5)
        add_alarm(
            self,
            "Errors",
            metric=self.function.metric_errors(period=minutes, statistic="Sum"),
            above=2,
            meaning=f"{self._props.area}/{self._props.name} fails: read its log group for the errors.",
        )
        add_alarm(
            self,
            "Throttles",
            metric=self.function.metric_throttles(period=minutes, statistic="Sum"),
            above=0,
            meaning=f"{self._props.area}/{self._props.name} is throttled: raise the account's concurrent Lambdas.",
            periods=2,
        )


def _code(package: Package) -> aws_lambda.Code:
    return aws_lambda.Code.from_asset(
        str(package.path), asset_hash=package.digest, asset_hash_type=AssetHashType.CUSTOM
    )
