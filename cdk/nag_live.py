"""Findings of cdk-nag on the live streams that stay."""

from cdk.acknowledging import RUNTIME, TRACES, accept, accept_wildcards
from cdk.stacks.live import LiveStack
from cdk.stages import Stage


def acknowledge(stage: Stage, live: LiveStack) -> None:
    """Acknowledge what is meant to be so in this stage."""
    for function in (live.authorizer, *live.functions.values()):
        accept(function.function, "L1", RUNTIME)
        accept_wildcards(function.role, {"*": TRACES})
    api = live.get_logical_id(live.socket.api.node.default_child)  # type: ignore[arg-type]  # a CfnElement
    connections = (
        f"arn:<AWS::Partition>:execute-api:<AWS::Region>:<AWS::AccountId>:<{api}>/"
        f"{live.socket.stage.stage_name}/POST/@connections/*"
    )
    for name in ("answer_socket", "fan_out"):
        reason = "Connections get their names from API Gateway as they are opened."
        accept_wildcards(live.functions[name].role, {connections: reason})
    accept(
        live.socket,
        "APIG4",
        "A socket is authorized when it is opened; its later messages go through the same connection.",
    )
    if not stage.gateway_logs:
        accept(live.socket, "APIG1", "This stage keeps no gateway logs; functions log every message.")
