"""Services beside a shard's tests: a database, a broker, the application itself. They run in the shard's own pod."""

from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from crosswind.contracts.base import WireModel

MAX_SERVICES = 10

ServiceName = Annotated[str, StringConstraints(pattern=r"^[a-z]([-a-z0-9]{0,28}[a-z0-9])?$")]
Image = Annotated[
    str,
    StringConstraints(
        pattern=r"^[a-z0-9][a-z0-9._:/-]{0,254}(?:/[a-z0-9._-]+)*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?$",
        max_length=512,
    ),
]
Cpu = Annotated[str, StringConstraints(pattern=r"^([1-9][0-9]{0,4}m|[1-9][0-9]{0,2})$")]
Memory = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,5}(Mi|Gi)$")]
EnvName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")]
Word = Annotated[str, StringConstraints(max_length=4096)]
Port = Annotated[int, Field(ge=1, le=65535)]


class ServiceResources(WireModel):
    """What one service may use; requests are limits."""

    cpu: Cpu = Field(default="250m", description="Such as 500m or 2.")
    memory: Memory = Field(default="256Mi", description="Such as 512Mi or 2Gi.")


class HttpReadiness(WireModel):
    """Ready once this address answers with a status below 400."""

    port: Port
    path: Annotated[str, StringConstraints(pattern=r"^/[^\s]*$", max_length=1024)] = "/"


class Readiness(WireModel):
    """When tests may begin. Exactly one of `http`, `tcp` and `command`."""

    http: HttpReadiness | None = None
    tcp: Port | None = Field(default=None, description="Ready once this port takes connections.")
    command: tuple[Word, ...] | None = Field(
        default=None, min_length=1, max_length=50, description="Ready once it ends with status 0."
    )
    period_seconds: int = Field(default=1, ge=1, le=60)
    timeout_seconds: int = Field(
        default=120, ge=1, le=900, description="The shard is lost when it takes longer."
    )

    @model_validator(mode="after")
    def _one_way(self) -> "Readiness":
        if sum(way is not None for way in (self.http, self.tcp, self.command)) != 1:
            raise ValueError("give exactly one of `http`, `tcp` and `command`")
        return self


class ServiceSpec(WireModel):
    """A container beside the tests, at 127.0.0.1 and its ports. It ends with the shard, and is made anew for each."""

    name: ServiceName
    image: Image
    command: tuple[Word, ...] = Field(
        default=(), max_length=50, description="Instead of the image's entry point."
    )
    args: tuple[Word, ...] = Field(default=(), max_length=100)
    env: dict[EnvName, Annotated[str, StringConstraints(max_length=32768)]] = Field(
        default={}, max_length=100
    )
    ports: tuple[Port, ...] = Field(
        default=(), max_length=10, description="For people: all ports can be reached."
    )
    readiness: Readiness | None = Field(default=None, description="None: ready once its process has started.")
    resources: ServiceResources = ServiceResources()
