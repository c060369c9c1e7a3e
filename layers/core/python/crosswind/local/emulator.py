"""Starts the AWS emulator on the loopback address, tells whether it is well, and stops it."""

import shutil
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from crosswind.local import processes
from crosswind.local.certificates import Certificates, ensure_certificates
from crosswind.local.home import LOOPBACK, REGION, Home, LocalState, ProcessRef

START_SECONDS = 60
STOP_SECONDS = 20
NAME = "emulator"
# The emulator takes this key for the account's root; it opens nothing else.
ROOT_KEY = "test"


def start(home: Home, state: LocalState, *, python: Path) -> ProcessRef:
    """Start it with what it had saved. Raises LocalError when it does not come up."""
    temporary = home.emulator / "tmp"
    shutil.rmtree(temporary, ignore_errors=True)  # unpacked functions of an emulator that was killed
    temporary.mkdir(parents=True)
    host = Path(__file__).with_name("emulator_host.py")
    ref = processes.start_detached(
        [str(python), str(host)],
        log=home.logs / f"{NAME}.log",
        environ=processes.scrubbed_environment(_environment(home, state, temporary)),
        folder=temporary,
    )
    processes.wait_until(
        lambda: is_healthy(home, state), seconds=START_SECONDS, what="the AWS emulator", ref=ref
    )
    return ref


def stop(ref: ProcessRef | None) -> bool:
    """End it, with time to save."""
    return processes.stop(ref, grace_seconds=STOP_SECONDS)


def is_healthy(home: Home, state: LocalState) -> bool:
    """Whether it answers."""
    context = None
    if state.iam_enforced:
        authority = home.tls / "authority.pem"
        if not authority.exists():
            return False
        context = ssl.create_default_context(cafile=str(authority))
    try:
        # The address is the loopback one.
        with urllib.request.urlopen(  # noqa: S310
            f"{state.emulator_url}/_ministack/health", timeout=2, context=context
        ) as answer:
            return bool(answer.status == 200)  # noqa: PLR2004
    except (urllib.error.URLError, OSError):
        return False


def client_environment(home: Home, state: LocalState) -> Mapping[str, str]:
    """What a process needs to reach the emulator, and only it, through any AWS SDK."""
    return {
        "AWS_ENDPOINT_URL": state.emulator_url,
        "AWS_ACCESS_KEY_ID": ROOT_KEY,
        "AWS_SECRET_ACCESS_KEY": ROOT_KEY,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        **(_certificates(home).client_environment() if state.iam_enforced else {}),
    }


def _certificates(home: Home) -> Certificates:
    return ensure_certificates(home.tls)


def _environment(home: Home, state: LocalState, temporary: Path) -> dict[str, str]:
    environ = {
        "BIND_HOST": LOOPBACK,
        "MINISTACK_HOST": LOOPBACK,
        "GATEWAY_PORT": str(state.emulator_port),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "PERSIST_STATE": "1",
        "STATE_DIR": str(home.emulator / "state"),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(home.emulator / "s3"),
        "TMPDIR": str(temporary),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "AWS_ACCESS_KEY_ID": ROOT_KEY,
        "AWS_SECRET_ACCESS_KEY": ROOT_KEY,
        "AWS_DEFAULT_REGION": REGION,
        "NO_PROXY": f"{LOOPBACK},localhost",
        "no_proxy": f"{LOOPBACK},localhost",
    }
    if state.iam_enforced:
        certificates = _certificates(home)
        environ |= {
            "AUTH": "true",
            "USE_SSL": "1",
            "MINISTACK_SSL_CERT": str(certificates.certificate),
            "MINISTACK_SSL_KEY": str(certificates.key),
            **certificates.client_environment(),
        }
    return environ
