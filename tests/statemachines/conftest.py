"""An emulator for path tests: on loopback, without waits, with mocked answers in AWS's Step Functions Local format."""

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from crosswind.local import processes
from crosswind.local.tools import ensure_tools
from tests.statemachines import mocks

_START_SECONDS = 60


@dataclass(frozen=True)
class Emulator:
    """A running emulator."""

    url: str
    folder: Path

    def client(self, service: str) -> Any:
        """A client of it."""
        return boto3.client(  # type: ignore[call-overload]  # the service is told by name
            service,
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 2}, s3={"addressing_style": "path"}),
        )


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """Started for this session, ended with it."""
    folder = tmp_path_factory.mktemp("emulator")
    answers = folder / "mocks.json"
    answers.write_text(json.dumps(mocks.config()), encoding="utf-8")
    (port,) = processes.free_ports(1)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "SFN_MOCK_CONFIG": str(answers),
        "SFN_WAIT_SCALE": "0",
    }
    log = (folder / "emulator.log").open("wb")
    process = subprocess.Popen(
        [_python(), "-m", "ministack"], env=environment, cwd=folder, stdout=log, stderr=log
    )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_for(url, process, folder / "emulator.log")
        yield Emulator(url=url, folder=folder)
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()


def _python() -> str:
    told = os.environ.get("CROSSWIND_EMULATOR_PYTHON")
    return told or str(ensure_tools(print).emulator_python)


def _wait_for(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until:
        assert process.poll() is None, f"The emulator ended:\n{log.read_text(encoding='utf-8')[-2000:]}"
        try:
            with urllib.request.urlopen(f"{url}/_ministack/health", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise AssertionError(f"The emulator did not answer within {_START_SECONDS} s")
