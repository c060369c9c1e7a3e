"""`pip install crosswind[cli]` alone: nothing of the other extras may be needed before a command needs it."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
_BARE = """
import sys
from pathlib import Path

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"boto3", "botocore", "cryptography", "jwt", "psutil", "starlette", "uvicorn"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())

from tests.unit.cli.fake_api import RUN, FakeApi, Terminal, finished

api = FakeApi()
api.on("POST /api/v1/tests", {"executionId": RUN, "state": "accepted"})
api.on(f"GET /api/v1/tests/{RUN}", finished("passed", "3 tests passed."))
api.on(f"GET /api/v1/tests/{RUN}/results", {"items": [], "complete": True})
result = Terminal(api=api, home=Path(sys.argv[1]))(*sys.argv[2:])
print(result.output)
sys.exit(result.exit_code)
"""


def bare(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`crosswind ARGUMENTS` where only the extra `cli` is installed."""
    return subprocess.run(
        [sys.executable, "-c", _BARE, str(home), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_help_needs_no_other_extra(tmp_path: Path) -> None:
    done = bare(tmp_path, "--help")
    assert done.returncode == 0, done.stderr
    assert "validate" in done.stdout


def test_a_run_needs_no_other_extra(tmp_path: Path) -> None:
    done = bare(tmp_path, "run", "shop", "--wait")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 tests passed." in done.stdout


@pytest.mark.parametrize("command", ["up", "status", "doctor", "logs", "demo"])
def test_a_command_of_the_embedded_cloud_names_the_extra_that_is_missing(
    tmp_path: Path, command: str
) -> None:
    done = bare(tmp_path, command)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "crosswind[cli,local]" in done.stdout
    assert "Traceback" not in done.stderr
