"""Where the embedded cloud keeps its things: the data directory of a project, the cache of a user, and state.json."""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from crosswind.kernel.errors import TerminalError

LOOPBACK = "127.0.0.1"
REGION = "us-east-1"
ACCOUNT = "000000000000"
STAGE = "local"
STACK_PREFIX = f"crosswind-{STAGE}"
_LOCK = "lock"


class LocalError(TerminalError):
    """The embedded cloud cannot do what was asked; the sentence says what to do about it."""

    slug = "local-cloud"
    title = "The embedded cloud cannot do this"


@dataclass(frozen=True, slots=True)
class ProcessRef:
    """A process that `up` started: its number, and the time of its start, which tells it from a later one.

    `started` counts seconds from the start of the machine where `boot` names that start, otherwise from 1970, as state.json
    of before had it. `made_from` is a fingerprint of the process's code and options.
    """

    pid: int
    started: float
    boot: str = ""
    made_from: str = ""


@dataclass(frozen=True, kw_only=True)
class LocalState:
    """What state.json holds. Written by `up`, read by every other command, the gateway and the pool."""

    port: int
    emulator_port: int
    runners: int
    iam_enforced: bool = False
    toxiproxy_port: int = 0  # 0 where no Toxiproxy is installed
    fingerprint: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)
    processes: Mapping[str, ProcessRef] = field(default_factory=dict)

    @property
    def endpoint(self) -> str:
        """The address that people and the CLI use."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def issuer(self) -> str:
        """The address of the local OIDC issuer, as tokens name it."""
        return f"{self.endpoint}/oidc"

    @property
    def emulator_url(self) -> str:
        """The address of the AWS emulator."""
        return f"{'https' if self.iam_enforced else 'http'}://{LOOPBACK}:{self.emulator_port}"

    @property
    def toxiproxy_url(self) -> str:
        """The address of the Toxiproxy server; empty where there is none."""
        return f"http://{LOOPBACK}:{self.toxiproxy_port}" if self.toxiproxy_port else ""

    @property
    def own_addresses(self) -> tuple[str, ...]:
        """host:port of everything that `up` starts: no experiment's probe may ask there."""
        ports = [port for port in (self.port, self.emulator_port, self.toxiproxy_port) if port]
        return tuple(f"{host}:{port}" for host in (LOOPBACK, "localhost") for port in ports)

    def with_process(self, name: str, ref: ProcessRef | None) -> Self:
        """The state with a process recorded, or forgotten."""
        processes = {key: value for key, value in self.processes.items() if key != name}
        if ref is not None:
            processes[name] = ref
        return replace(self, processes=processes)


@dataclass(frozen=True, slots=True)
class Home:
    """The data directory, `.crosswind/` of the working directory unless CROSSWIND_HOME names another."""

    path: Path

    @classmethod
    def default(cls, environ: Mapping[str, str] | None = None) -> "Home":
        """The directory that the environment names."""
        environ = os.environ if environ is None else environ
        named = environ.get("CROSSWIND_HOME")
        return cls((Path(named) if named else Path.cwd() / ".crosswind").resolve())

    @property
    def emulator(self) -> Path:
        """State, objects and temporary files of the emulator."""
        return self.path / "emulator"

    @property
    def logs(self) -> Path:
        """One file per process."""
        return self.path / "logs"

    @property
    def issuer(self) -> Path:
        """The issuer's key and users, readable by their owner only."""
        return self.path / "issuer"

    @property
    def tls(self) -> Path:
        """The authority and certificate made for the mode that enforces IAM."""
        return self.path / "tls"

    @property
    def applications(self) -> Path:
        """Registries of the local applications whose processes experiments may hit: `<application>/application.json`."""
        return self.path / "applications"

    @property
    def assembly(self) -> Path:
        """The synthesised CDK app."""
        return self.path / "cdk.out"

    def create(self) -> None:
        """Make the directory, closed to other users. Raises LocalError when it is somebody's already."""
        self._claim()
        self.path.chmod(0o700)
        for folder in (self.emulator / "tmp", self.logs, self.issuer, self.applications):
            folder.mkdir(parents=True, exist_ok=True)

    def load(self) -> LocalState | None:
        """Read state.json; None when nothing was ever started here. Raises LocalError when it is not readable."""
        path = self.path / "state.json"
        try:
            raw: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            raw.pop("endpoint", None)
            raw.pop("emulatorUrl", None)
            raw.pop("toxiproxyUrl", None)
            processes = {name: ProcessRef(**ref) for name, ref in raw.pop("processes").items()}
            return LocalState(processes=processes, **raw)
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise LocalError(f"{path} is damaged ({error}); `crosswind reset` starts afresh") from error

    def save(self, state: LocalState) -> None:
        """Write state.json in one step. The addresses are there for readers outside Python."""
        shown = {"endpoint": state.endpoint, "emulatorUrl": state.emulator_url}
        values = {**asdict(state), **shown, "toxiproxyUrl": state.toxiproxy_url}
        write_private(self.path / "state.json", json.dumps(values, indent=2) + "\n")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the directory against a second `up`, `down` or `reset`; waits for the first to end."""
        self._claim()
        with (self.path / _LOCK).open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def _claim(self) -> None:
        """`reset` deletes the whole directory, so one that holds anything else must never become ours."""
        self.path.mkdir(parents=True, exist_ok=True)
        if not (self.path / _LOCK).exists() and any(self.path.iterdir()):
            raise LocalError(
                f"{self.path} holds things that `crosswind up` did not make; name an empty folder in CROSSWIND_HOME"
            )
        (self.path / _LOCK).touch()


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step, readable by its owner only from the first byte on."""
    staged = path.with_name(f"{path.name}.{os.getpid()}.new")
    descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
        handle.write(text)
    staged.replace(path)


def cache_folder(environ: Mapping[str, str] | None = None) -> Path:
    """The user's cache: tools that every embedded cloud of this user shares."""
    environ = os.environ if environ is None else environ
    base = environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "crosswind"


def source_root() -> Path:
    """The checkout that holds the CDK app. Raises LocalError when the package was installed without one."""
    named = os.environ.get("CROSSWIND_SOURCE")
    if named:
        return Path(named)
    for folder in Path(__file__).resolve().parents:
        if (folder / "cdk.json").is_file() and (folder / "statemachines").is_dir():
            return folder
    raise LocalError(
        "the embedded cloud is deployed from a checkout of Crosswind; set CROSSWIND_SOURCE to one"
    )
