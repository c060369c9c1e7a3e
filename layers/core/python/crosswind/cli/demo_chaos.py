"""`crosswind demo --chaos`: three experiments on the example shop, each reviewed, gated, injected, watched and undone.

One holds, one finds the weakness that was planted and is aborted by its guard, and the same one holds with the fix.
"""

import signal
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

import typer
from rich.console import Console
from rich.text import Text

from crosswind.cli import chaos_show, render
from crosswind.cli.account import sign_in_local, store_profile
from crosswind.cli.chaos import followed
from crosswind.cli.chaos_client import ChaosClient
from crosswind.cli.demo_steps import Steps, own_profile, start_cloud, without_overrides
from crosswind.cli.errors import ExitStatus
from crosswind.cli.extras import local_extra
from crosswind.cli.session import Session, make_client, session_in, show
from crosswind.cli.sources import child, compose
from crosswind.cli.surroundings import Surroundings
from crosswind.contracts.chaos.definitions import ReviewRequest
from crosswind.contracts.chaos.lifecycle import AbortCause, ExperimentVerdict, RevisionState, RunState
from crosswind.contracts.chaos.runs import AbortRequest, ExperimentRunView, StartRequest
from crosswind.local.home import Home, LocalError, source_root

AUTHOR, REVIEWER = "editor", "admin"
_TEAM = "demo"
_HOST = "127.0.0.1:{port}"
_WITH_TOXIPROXY, _WITHOUT = "inventory-slow", "inventory-starved"
_WEAKNESS = "payment-frozen"


@dataclass(frozen=True)
class Scene:
    """One experiment of the demo and what is expected of it."""

    experiment: str
    verdict: ExperimentVerdict
    cause: AbortCause | None = None
    told: str = ""

    def faults(self, run: ExperimentRunView) -> list[str]:
        """What differs from what is expected."""
        cause = run.abort.cause if run.abort else None
        found = (run.state, run.verdict, cause)
        if found == (RunState.ANALYZED, self.verdict, self.cause):
            return []
        expected = f"{self.verdict.value}{f', aborted by {self.cause.value}' if self.cause else ''}"
        was = run.verdict.value if run.verdict else run.state.value
        return [f"{self.experiment} should be {expected}; it is {was}: {run.reason or 'without a reason'}"]


def scenes(*, toxiproxy: bool) -> tuple[Scene, Scene, Scene]:
    """What holds, what is falsified, and the same with the fix."""
    first = Scene(_WITH_TOXIPROXY if toxiproxy else _WITHOUT, ExperimentVerdict.HELD, told="it should hold")
    second = Scene(
        _WEAKNESS, ExperimentVerdict.FALSIFIED, AbortCause.SLO, told="order calls payment without a timeout"
    )
    return first, second, Scene(_WEAKNESS, ExperimentVerdict.HELD, told="with the fix, a timeout of 0.5 s")


def run_chaos_demo(
    around: Surroundings, *, port: int | None, emulator_port: int | None, as_json: bool
) -> NoReturn:
    """Start the embedded cloud and the shop, run the scenes, and look for what is left. Exit status 0: all as expected."""
    with local_extra():
        from crosswind.cli.demo_shop import running_shop  # noqa: PLC0415
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # it leaves no more behind than Ctrl-C
    steps = Steps(monotonic=around.monotonic)
    started = around.monotonic()
    console = Console(stderr=True)
    with steps.step("up") as note:
        _ensure_toxiproxy(lambda line: show(console, line))
        endpoint = start_cloud(around, port=port, emulator_port=emulator_port)
        note(endpoint)
    home = Home.default(around.environ)
    state = home.load()
    toxiproxy = state.toxiproxy_url if state else ""
    own = replace(around, environ=without_overrides(around))
    profile = own_profile(own)
    reviewer = sign_in_local(own, endpoint=endpoint, user=REVIEWER)
    store_profile(own, name=profile, profile=sign_in_local(own, endpoint=endpoint, user=AUTHOR))
    reviews = make_client(own, endpoint=endpoint, token=reviewer.token)
    try:
        with (
            session_in(own, endpoint=endpoint, profile=profile, as_json=as_json) as session,
            running_shop(
                source_root() / "examples" / "shop", home.applications / "shop", toxiproxy=toxiproxy
            ) as shop,
        ):
            play = Play(session, steps, ChaosClient(session.client), ChaosClient(reviews), shop.port)
            first, second, third = scenes(toxiproxy=bool(toxiproxy))
            play.scene(first)
            falsified = play.scene(second)
            with steps.step("fix order"):
                shop.mend()
            play.scene(third)
            left = shop.left_injected()
            faults = [*play.faults, *left]
            report = play.report(falsified, home.path / "reports")
            seconds = around.monotonic() - started
            if as_json:
                session.emit(_document(play, faults, seconds, report))
            _print_end(play, faults, seconds, report, toxiproxy=bool(toxiproxy))
    finally:
        reviews.close()
    raise typer.Exit(ExitStatus.TROUBLE if faults else ExitStatus.OK)


class Play:
    """The scenes as they are played, by an author and a reviewer."""

    def __init__(
        self, session: Session, steps: Steps, author: ChaosClient, reviewer: ChaosClient, port: int
    ) -> None:
        self.session, self.steps = session, steps
        self.runs: list[ExperimentRunView] = []
        self.faults: list[str] = []
        self._author, self._reviewer, self._port = author, reviewer, port

    def scene(self, scene: Scene) -> ExperimentRunView:
        """Review and run one experiment, and note what differs from what is expected."""
        session = self.session
        session.say()
        session.say(Text(f"{scene.experiment}: {scene.told}", style="bold"))
        with self.steps.step(scene.experiment) as note:
            self._review(source_root() / "examples" / "experiments" / f"{scene.experiment}.yaml")
            run = self._run(scene.experiment)
            note(run.verdict.value if run.verdict else run.state.value)
        for line in chaos_show.ending_lines(run):
            session.say(line)
        self.runs.append(run)
        self.faults += scene.faults(run)
        return run

    def report(self, run: ExperimentRunView, folder: Path) -> Path | None:
        """Save the HTML report of a run."""
        link = self._author.results("-", {"team": _TEAM, "run": run.run_id}).reports.get("html")
        if link is None:
            self.faults.append(f"there is no report of {run.run_id}")
            return None
        folder.mkdir(exist_ok=True)
        target = folder / f"{run.experiment}-{run.run_id}.html"
        self.session.client.download(link, target)
        return target

    def _review(self, file: Path) -> None:
        """Store it, have it approved by somebody else who looked at just this, unless it is approved already."""
        text = file.read_text(encoding="utf-8").replace(
            _HOST.format(port=8001), _HOST.format(port=self._port)
        )
        node = child(compose(text), "metadata", "name")
        name = str(node.value) if node else file.stem
        stored = self._author.put(name, text).experiment
        approved = sum(each.counts for each in stored.review.approvals) >= stored.review.needed
        if stored.state is RevisionState.APPROVED and approved:
            return
        if "submit" in stored.actions:
            self._author.submit(name, team=_TEAM)
        preview = self._reviewer.preview(name, team=_TEAM)
        for line in chaos_show.preview_lines(preview):
            self.session.say(line)
        comment = ReviewRequest(digest=preview.digest, comment="looked at the preview")
        approved_by = self._reviewer.approve(name, comment, team=_TEAM).review.approvals[-1].by
        self.session.say(f"  submitted by {AUTHOR}, approved by {approved_by}")

    def _run(self, name: str) -> ExperimentRunView:
        """To its verdict. Whoever interrupts leaves nothing injected."""
        key = uuid.uuid4().hex
        run = self._author.start(name, StartRequest(), team=_TEAM, idempotency_key=key)
        try:
            return followed(self.session, self._author, run.run_id)
        except KeyboardInterrupt:
            request = AbortRequest(reason="the demo was interrupted", run_id=run.run_id)
            self._author.abort("-", request, team=_TEAM)
            self.session.note(f"interrupted: {run.run_id} is being undone")
            raise


def _ensure_toxiproxy(report: Callable[[str], None]) -> None:
    """Build it where it is missing; the demo goes on without."""
    with local_extra():
        from crosswind.local import toxiproxy  # noqa: PLC0415
    try:
        toxiproxy.ensure_toxiproxy(report)
    except LocalError as error:
        report(f"without Toxiproxy: {error}")


def _print_end(
    play: Play, faults: list[str], seconds: float, report: Path | None, *, toxiproxy: bool
) -> None:
    session = play.session
    session.say()
    session.say(Text("Demo", style="bold"))
    for line in play.steps.table(total=seconds):
        session.say(line)
    session.say()
    for fault in faults:
        session.say(Text.assemble(render.coloured("failed", bold=True), f"  {fault}"))
    if not faults:
        asked = "the operating system and Toxiproxy were" if toxiproxy else "the operating system was"
        session.say(f"All as expected, and nothing is left injected: {asked} asked.")
    if report:
        session.say(f"The report of the weakness that was found: {report}")
    session.say()
    session.say(Text("Next", style="bold"))
    for words in (
        f"chaos results {play.runs[1].run_id}",
        f"chaos timeline {play.runs[1].run_id}",
        "chaos templates",
    ):
        session.say(f"  {session.command(words)}")


def _document(play: Play, faults: list[str], seconds: float, report: Path | None) -> dict[str, object]:
    return {
        "asExpected": not faults,
        "faults": faults,
        "seconds": round(seconds, 1),
        "steps": play.steps.document(),
        "report": str(report) if report else None,
        "runs": [run.model_dump(mode="json", exclude_none=True) for run in play.runs],
    }
