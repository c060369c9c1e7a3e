"""One synth per stage for the whole test session, shared by all of xdist's workers."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from tests.infra.templates import Assembly

ROOT = Path(__file__).resolve().parents[2]
STAGES = ("local", "dev", "staging", "prod")


def synthesize(stage: str, shared: Path) -> Assembly:
    """The stage's assembly; the first who asks makes it, with cdk-nag, by the command that people use."""
    folder, log = shared / f"cdk-{stage}", shared / f"cdk-{stage}.log"
    with FileLock(shared / f"cdk-{stage}.lock"):
        if not log.exists():
            environment = os.environ | {
                "CDK_OUTDIR": str(folder),
                "CDK_CONTEXT_JSON": f'{{"stage": "{stage}"}}',
                "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "1",
            }
            done = subprocess.run(
                [sys.executable, "-m", "cdk.app"],
                cwd=ROOT,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            log.write_text(f"{done.returncode}\n{done.stdout}\n{done.stderr}", encoding="utf-8")
    return Assembly(stage=stage, folder=folder, log=log.read_text(encoding="utf-8"))


@pytest.fixture(scope="session", params=STAGES)
def assembly(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    """Each stage in turn."""
    return _assembly(request.param, tmp_path_factory)


@pytest.fixture(scope="session", params=STAGES[1:])
def deployed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    """Each stage that is for AWS, in turn."""
    return _assembly(request.param, tmp_path_factory)


@pytest.fixture(scope="session")
def prod(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    """The strictest stage."""
    return _assembly("prod", tmp_path_factory)


@pytest.fixture(scope="session")
def local(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    """The stage of the embedded cloud."""
    return _assembly("local", tmp_path_factory)


def _assembly(stage: str, factory: pytest.TempPathFactory) -> Assembly:
    base = factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    made = synthesize(stage, shared)
    assert made.log.startswith("0\n"), f"The synth of stage {stage} failed:\n{made.log[-6000:]}"
    return made
