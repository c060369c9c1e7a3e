"""What the demos share: steps with their times, the cloud that they start, and a profile that disturbs no other."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.text import Text

from crosswind.cli import config, render
from crosswind.cli.config import DEFAULT_PROFILE, is_loopback
from crosswind.cli.extras import local_extra
from crosswind.cli.session import show
from crosswind.cli.surroundings import Surroundings
from crosswind.local.home import Home


@dataclass
class Steps:
    """What was done, with how long each took."""

    monotonic: Callable[[], float]
    done: list[tuple[str, float, str]] = field(default_factory=list)

    @contextmanager
    def step(self, name: str) -> Iterator[Callable[[str], None]]:
        """Time a step. The yielded function notes its outcome."""
        started = self.monotonic()
        outcomes: list[str] = []
        yield outcomes.append
        self.done.append((name, self.monotonic() - started, " ".join(outcomes)))

    def table(self, *, total: float) -> list[Text]:
        """All steps, for people."""
        rows = [(name, render.duration(took), outcome) for name, took, outcome in self.done]
        return list(
            render.columns(("step", "time", "outcome"), [*rows, ("total", render.duration(total), "")])
        )

    def document(self) -> list[dict[str, object]]:
        """All steps, for programs."""
        return [
            {"name": name, "seconds": round(took, 1), "outcome": outcome} for name, took, outcome in self.done
        ]


def without_overrides(around: Surroundings) -> dict[str, str]:
    """The demo uses the cloud that it started, whatever the environment names for other commands."""
    dropped = ("CROSSWIND_TOKEN", "CROSSWIND_ENDPOINT", "CROSSWIND_PROFILE")
    return {name: value for name, value in around.environ.items() if name not in dropped}


def own_profile(around: Surroundings) -> str:
    """The default profile, unless it belongs to a deployment elsewhere."""
    stored = config.load_profiles(config.config_file(around.environ)).get(DEFAULT_PROFILE)
    return DEFAULT_PROFILE if stored is None or is_loopback(stored.endpoint) else "demo"


def start_cloud(around: Surroundings, *, port: int | None, emulator_port: int | None) -> str:
    with local_extra():
        from crosswind.local.cloud import EmbeddedCloud, UpOptions, elapsed_reporter  # noqa: PLC0415
    options = UpOptions(port=port, emulator_port=emulator_port)
    console = Console(stderr=True)
    report = elapsed_reporter(lambda line: show(console, line))
    return EmbeddedCloud(Home.default(around.environ), report=report).up(options).endpoint
