"""What commands take from outside: environment, network, time. Tests pass their own."""

import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import typer

if TYPE_CHECKING:
    from crosswind.cli.sockets import Socket

NAME = "crosswind"


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _connect(address: str, authorization: str | None) -> "Socket":
    from crosswind.cli.sockets import open_socket  # noqa: PLC0415  # only who follows a run pays for it

    return open_socket(address, authorization)


def _program() -> str:
    """How this command can be called again: by its name if that is on the path, otherwise by where it is."""
    called = Path(sys.argv[0])
    if called.name != NAME or shutil.which(NAME):
        return NAME
    return os.path.relpath(called)


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """The world of one command."""

    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    transport: httpx.BaseTransport | None = None
    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = _utc_now
    connect: Callable[[str, str | None], "Socket"] = _connect
    program: str = field(default_factory=_program)


def surroundings_of(ctx: typer.Context) -> Surroundings:
    """What the caller passed as the context's object, or the real ones."""
    return ctx.obj if isinstance(ctx.obj, Surroundings) else Surroundings()
