"""The Lambdas of the API: one for each operation, with the gateway's time limit and a role of its own."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aws_cdk import Duration, aws_kms
from constructs import Construct

from cdk.constructs.python_function import Code, PythonFunction, PythonFunctionProps
from cdk.stages import Stage
from crosswind.contracts.api import ROUTES
from crosswind.settings import Settings

_GATEWAY_SECONDS = 29


@dataclass(frozen=True, kw_only=True)
class ApiFunctionProps:
    """What the operations of an area share."""

    stage: Stage
    key: aws_kms.IKey
    code: Code
    area: str


def api_function(
    scope: Construct, name: str, *, props: ApiFunctionProps, settings: Iterable[Settings] = ()
) -> PythonFunction:
    """The Lambda of one operation."""
    return PythonFunction(
        scope,
        name.title().replace("_", ""),
        props=PythonFunctionProps(
            stage=props.stage,
            key=props.key,
            code=props.code,
            area=props.area,
            name=name,
            description=f"Crosswind API: {name.replace('_', ' ')}",
            timeout=Duration.seconds(_GATEWAY_SECONDS),
            memory_mib=1024,
            settings=tuple(settings),
        ),
    )


def api_functions(
    scope: Construct,
    *,
    props: ApiFunctionProps,
    settings: Iterable[Settings] = (),
    special: Mapping[str, Iterable[Settings]] | None = None,
) -> dict[str, PythonFunction]:
    """The Lambdas of all operations of an area by their names; `special` ones have settings of their own."""
    own, common = special or {}, tuple(settings)
    return {
        route.function: api_function(
            scope, route.function, props=props, settings=own.get(route.function, common)
        )
        for route in ROUTES
        if route.area == props.area
    }
