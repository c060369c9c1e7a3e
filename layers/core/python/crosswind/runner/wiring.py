"""Makes an agent of its settings."""

import hashlib
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from crosswind.bootstrap import runner as bootstrap
from crosswind.bootstrap import stores
from crosswind.kernel.clock import SystemClock
from crosswind.runner.agent import Agent, Leasing
from crosswind.runner.archives import ArchiveCache, ArchiveLimits
from crosswind.runner.batches import Pulling
from crosswind.runner.environment import TestEnvironment
from crosswind.runner.git import LOCAL_PROTOCOLS, PROTOCOLS
from crosswind.runner.hand.calling import Hand
from crosswind.runner.options import RunnerOptions
from crosswind.runner.places import attempts_folder
from crosswind.runner.session import Live, OpenSession
from crosswind.runs.live.shipping import Pace
from crosswind.settings import RunnerSettings

if TYPE_CHECKING:
    from crosswind.runner.monitoring.watching import Watch


def marker_of(settings: RunnerSettings) -> str:
    """Names the work folder in the processes that its runner starts. Its next runner may have another id."""
    return hashlib.sha256(str(Path(settings.work_folder).absolute()).encode()).hexdigest()[:16]


def build_agent(settings: RunnerSettings, options: RunnerOptions, *, marker: str) -> Agent:
    """Wire a runner."""
    folder = Path(settings.work_folder).resolve()  # before the first test: later a link is not followed
    clock = SystemClock()
    hand = Hand(options.hand) if options.hand else None
    limits = ArchiveLimits()
    environment = TestEnvironment.of(
        os.environ, marker=marker, test_python=options.test_python, passed_on=options.test_env
    )
    return Agent(
        runner_id=settings.runner_id,
        queue=stores.executor_queue(settings),
        leasing=Leasing(
            claim=bootstrap.claim_work(settings),
            beat=bootstrap.beat_work(settings),
            commit=bootstrap.commit_work(settings),
            hand_back=bootstrap.hand_back(settings),
            fail=bootstrap.fail_attempt(settings),
            return_batch=bootstrap.return_batch(settings),
        ),
        secrets=stores.secrets(settings),
        open_session=OpenSession(
            artifacts=stores.artifacts(settings),
            sources=stores.sources(settings),
            runs=stores.run_store(settings),
            cache=ArchiveCache(folder / "cache", limits=limits),
            limits=limits,
            environment=environment,
            clock=clock,
            pulling=Pulling(
                open_list=bootstrap.open_work_list(settings),
                lease=bootstrap.lease_batch(settings),
                commit=bootstrap.commit_batch(settings),
                committed=bootstrap.committed_batches(settings),
                fail_rest=bootstrap.fail_rest_fast(settings),
            ),
            join=bootstrap.join_barrier(settings),
            open_watch=partial(_open_watch, settings, options, environment, hand),
            live=Live(
                watched=stores.watch_store(settings).read,
                queue=stores.live_queue(settings),
                pace=Pace(live_seconds=settings.live_seconds, quiet_seconds=settings.quiet_seconds),
            ),
            test_uid=options.test_uid,
            hand=hand,
            protocols=LOCAL_PROTOCOLS if settings.stage == "local" else PROTOCOLS,
        ),
        attempts_folder=attempts_folder(folder),
        tick_seconds=settings.quiet_seconds,
    )


def _open_watch(
    settings: RunnerSettings, options: RunnerOptions, environment: TestEnvironment, hand: Hand | None
) -> "Watch":
    """A monitor's own part. Probes and their HTTP client are a quarter of all imports, and few runners are monitors."""
    from crosswind.runner.monitoring.watching import Watch  # noqa: PLC0415

    return Watch(
        announce=bootstrap.announce(settings),
        measurements=bootstrap.measurements,
        environment=environment,
        clock=SystemClock(),
        test_uid=options.test_uid,
        hand=hand,
    )
