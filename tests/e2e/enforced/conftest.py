"""One embedded cloud with IAM enforced for all tests of this folder: they carry one xdist group."""

from collections.abc import Iterator

import pytest

from tests.e2e.conftest import Cloud, running_cloud


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """The cloud, up."""
    with running_cloud(tmp_path_factory.mktemp("enforced"), iam_enforced=True) as started:
        yield started


@pytest.fixture(autouse=True)
def _trust(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Presigned links lead to the emulator's own TLS."""
    monkeypatch.setenv("SSL_CERT_FILE", str(cloud.home.tls / "authority.pem"))
