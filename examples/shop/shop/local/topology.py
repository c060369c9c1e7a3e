"""Which services there are, who calls whom, and what each is told."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from shop.environment import Settings
from shop.kit.web import LOOPBACK
from shop.local.registry import APPLICATION, Proxy
from shop.services.names import BROKER, FULFILMENT, INVENTORY, ORDER, PAYMENT, SERVICES

CLIENT = "client"
EDGES = ((ORDER, PAYMENT), (ORDER, INVENTORY), (CLIENT, ORDER), (FULFILMENT, ORDER))
_ROLES = {BROKER: "queue", INVENTORY: "backend", PAYMENT: "backend", ORDER: "api", FULFILMENT: "worker"}
_AWS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_CA_BUNDLE",
)


@dataclass(frozen=True, slots=True)
class Options:
    """What `up` was told. `settings` holds the switches; its ports and addresses are set here."""

    settings: Settings
    sqs: str | None = None
    toxiproxy: str | None = None
    order_port: int | None = None  # unless told, a free one like all others


def service_names(options: Options) -> tuple[str, ...]:
    """The services to start, in order: with SQS there is no need of a broker."""
    return tuple(name for name in SERVICES if name != BROKER or not options.sqs)


def edge_name(caller: str, called: str) -> str:
    """What the connection is called, in the registry and in Toxiproxy."""
    return f"{caller}-to-{called}"


def proxies(options: Options, *, ports: Mapping[str, int], listen: Mapping[str, int]) -> dict[str, Proxy]:
    """The edges that lead through Toxiproxy, if there is one."""
    if not options.toxiproxy:
        return {}
    return {
        edge_name(caller, called): Proxy(
            listen=f"{LOOPBACK}:{listen[edge_name(caller, called)]}", upstream=f"{LOOPBACK}:{ports[called]}"
        )
        for caller, called in EDGES
    }


def environment(
    name: str, options: Options, *, ports: Mapping[str, int], through: Mapping[str, Proxy], data: Path
) -> dict[str, str]:
    """The whole environment of a service: its settings, and what boto3 needs where there is SQS."""

    def url(called: str) -> str:
        proxy = through.get(edge_name(name, called))
        return proxy.url if proxy else f"http://{LOOPBACK}:{ports[called]}"

    settings = replace(options.settings, port=ports[name], data=str(data))
    if name == ORDER:
        settings = replace(settings, inventory_url=url(INVENTORY), payment_url=url(PAYMENT))
    if name == FULFILMENT:
        settings = replace(settings, order_url=url(ORDER))
    if name not in (ORDER, FULFILMENT):
        return settings.to_env()
    if not options.sqs:
        return replace(settings, broker_url=url(BROKER)).to_env()
    return settings.to_env() | _aws(options.sqs)


def labels(name: str) -> dict[str, str]:
    """What experiments select services by."""
    return {"application": APPLICATION, "service": name, "role": _ROLES[name]}


def _aws(endpoint: str) -> dict[str, str]:
    """Where SQS is, and who asks: credentials of the surroundings, else such as an emulator takes."""
    stand_in = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    given = {name: os.environ[name] for name in _AWS if os.environ.get(name)}
    return {**stand_in, **given, "AWS_ENDPOINT_URL": endpoint, "AWS_EC2_METADATA_DISABLED": "true"}
