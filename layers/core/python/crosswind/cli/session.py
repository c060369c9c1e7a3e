"""What every command shares: options, surroundings, consoles, and the signed-in client."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer
from rich.console import Console
from rich.text import Text

from crosswind.cli import config, tokens
from crosswind.cli.client import ApiClient
from crosswind.cli.config import DEFAULT_ENDPOINT, DEFAULT_PROFILE, Profile, is_loopback
from crosswind.cli.errors import CliError
from crosswind.cli.surroundings import Surroundings, surroundings_of
from crosswind.contracts.base import WireModel
from crosswind.local.home import Home

EndpointOption = Annotated[
    str | None, typer.Option("--endpoint", help="Address of the API. Also CROSSWIND_ENDPOINT.")
]
ProfileOption = Annotated[
    str | None, typer.Option("--profile", help="Profile to use. Also CROSSWIND_PROFILE.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, everything else on stderr.")]
TeamOption = Annotated[str | None, typer.Option("--team", help="Team; needed when you are in more than one.")]

_CONTROL = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b(?!\[[0-9;]*m)|[\x00-\x08\x0b\x0c\x0e-\x1a\x7f]"
)


@dataclass(frozen=True, kw_only=True)
class Output:
    """One command's consoles."""

    as_json: bool
    out: Console = field(default_factory=Console)
    err: Console = field(default_factory=lambda: Console(stderr=True))

    def say(self, line: str | Text = "") -> None:
        """A line for people: on stdout, or on stderr beside JSON."""
        show(self.err if self.as_json else self.out, line)

    def note(self, line: str | Text) -> None:
        """A line that is no result: always on stderr."""
        show(self.err, line)

    def emit(self, value: WireModel | Mapping[str, Any]) -> None:
        """A result as JSON on stdout."""
        document = value.model_dump(mode="json", exclude_none=True) if isinstance(value, WireModel) else value
        self.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")

    def emit_line(self, value: WireModel) -> None:
        """One result of a stream, as one line of JSON."""
        self.write(value.to_wire() + "\n")

    def write(self, text: str) -> None:
        """Text for stdout, as it is. Control sequences are taken out for a terminal: tests are not trusted."""
        stream = self.out.file
        stream.write(_printable(text) if self.out.is_terminal else text)
        stream.flush()


@dataclass(frozen=True, kw_only=True)
class Session(Output):
    """A command that talks with the API."""

    client: ApiClient
    endpoint: str
    profile: str
    surroundings: Surroundings

    def command(self, words: str) -> str:
        """A command line for the user to try, which reaches the same place as this one."""
        flags = f" --profile {self.profile}" if self.profile != DEFAULT_PROFILE else ""
        return f"{self.surroundings.program} {words}{flags}"


def _printable(text: str) -> str:
    return _CONTROL.sub("", text)


def show(console: Console, line: str | Text) -> None:
    """Print a line as it is: no wrapping, no markup, no highlighting."""
    console.print(line, soft_wrap=True, markup=False, highlight=False, emoji=False)


@contextmanager
def open_session(
    ctx: typer.Context, *, endpoint: str | None, profile: str | None, as_json: bool
) -> Iterator[Session]:
    """A session signed in by CROSSWIND_TOKEN or by the profile. Raises CliError that says how to sign in."""
    with session_in(surroundings_of(ctx), endpoint=endpoint, profile=profile, as_json=as_json) as session:
        yield session


@contextmanager
def session_in(
    around: Surroundings, *, endpoint: str | None, profile: str | None, as_json: bool
) -> Iterator[Session]:
    """The same, where the surroundings are at hand."""
    target, token = _resolve(around, endpoint=endpoint, profile=profile)
    client = make_client(around, endpoint=target, token=token)
    try:
        yield Session(
            client=client,
            endpoint=target,
            profile=profile_name(around, profile),
            surroundings=around,
            as_json=as_json,
        )
    finally:
        client.close()


def make_client(around: Surroundings, *, endpoint: str, token: str | None) -> ApiClient:
    """A client; it trusts the embedded cloud's own certificate authority where that cloud has one."""
    authority = Home.default(around.environ).tls / "authority.pem"
    return ApiClient(
        endpoint=endpoint,
        token=token,
        authority=authority if is_loopback(endpoint) and authority.is_file() else None,
        transport=around.transport,
        sleep=around.sleep,
    )


def profile_name(around: Surroundings, profile: str | None) -> str:
    """The profile that a command means."""
    return profile or around.environ.get("CROSSWIND_PROFILE") or DEFAULT_PROFILE


def target_endpoint(around: Surroundings, *, endpoint: str | None, stored: Profile | None) -> str:
    """The endpoint that a command means: option, variable, profile, running embedded cloud, default."""
    found = (
        endpoint
        or around.environ.get("CROSSWIND_ENDPOINT")
        or (stored.endpoint if stored else None)
        or config.local_endpoint(around.environ)
        or DEFAULT_ENDPOINT
    )
    return checked_endpoint(found)


def checked_endpoint(endpoint: str) -> str:
    """The address without a slash at its end. Raises CliError for one that would carry a token in clear text."""
    parts = urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise CliError(f"{endpoint!r} is no http(s) address")
    if not is_loopback(endpoint) and parts.scheme != "https":
        raise CliError(
            f"{endpoint} would carry your token in clear text", hint="Use https:// beyond this machine."
        )
    return endpoint.rstrip("/")


def _resolve(around: Surroundings, *, endpoint: str | None, profile: str | None) -> tuple[str, str]:
    file = config.config_file(around.environ)
    name = profile_name(around, profile)
    stored = config.load_profiles(file).get(name)
    target = target_endpoint(around, endpoint=endpoint, stored=stored)
    if token := around.environ.get("CROSSWIND_TOKEN"):
        return target, token
    flags = "" if name == DEFAULT_PROFILE else f" --profile {name}"
    if stored is None:
        user = " --user editor" if is_loopback(target) else " --token-command '…'"
        raise CliError(
            f"nobody is signed in to {target} (profile {name})",
            hint=f"Sign in: {around.program} login --endpoint {target}{flags}{user}",
        )
    if stored.endpoint != target:
        raise CliError(
            f"profile {name} is signed in to {stored.endpoint}, not to {target}; its token stays there",
            hint=f"Sign in under another name: crosswind login --endpoint {target} --profile NAME",
        )
    return target, tokens.valid_token(around, file=file, name=name, profile=stored)
