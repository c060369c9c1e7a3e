"""The API's operations on clusters, and the secrets beside them."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from crosswind.cli.client import ApiClient, Query
from crosswind.cli.config import is_loopback
from crosswind.cli.errors import CliError
from crosswind.cli.session import Session
from crosswind.contracts.cluster_answers import ClusterPage, ClusterView, PutClusterAnswer
from crosswind.contracts.pods import PodList
from crosswind.local.home import Home


@dataclass(frozen=True)
class ClusterClient:
    """One method per operation; each may be repeated."""

    api: ApiClient

    def list(self, query: Query) -> ClusterPage:
        return self.api.read("/api/v1/clusters", ClusterPage, query)

    def get(self, name: str) -> ClusterView:
        return self.api.read(_path(name), ClusterView, {})

    def put(self, name: str, text: str) -> PutClusterAnswer:
        return self.api.write("PUT", _path(name), text, PutClusterAnswer)

    def delete(self, name: str) -> None:
        self.api.delete(_path(name), {})

    def pods(self, run_id: str, *, work_id: str | None) -> PodList:
        return self.api.read(f"/api/v1/tests/{quote(run_id, safe='')}/pods", PodList, {"workId": work_id})


def store_credentials(
    session: Session, *, stage: str | None, name: str, credentials: Mapping[str, str]
) -> str:
    """Keep a cluster's credentials in Secrets Manager, with the caller's own AWS rights; gives the secret's name.

    Raises CliError where the stage is not told, DependencyError where AWS refuses.
    """
    from crosswind.adapters.aws.operators import keep_secret  # noqa: PLC0415  # only who adds a cluster pays for it

    local = is_loopback(session.endpoint)
    if stage is None and not local:
        raise CliError(
            "the cluster's credentials go to Secrets Manager, below the deployment's stage",
            hint="Name the stage: --stage prod. The caller's AWS credentials are used.",
        )
    secret = f"crosswind-clusters/{stage or 'local'}/{name}"
    environment = None
    if local:
        from crosswind.local import emulator  # noqa: PLC0415  # of the extra `local`

        home = Home.default(session.surroundings.environ)
        state = home.load()
        if state is None:
            raise CliError("no embedded cloud was started from this folder", hint="Start it: crosswind up")
        environment = emulator.client_environment(home, state)
    keep_secret(secret, credentials, environment)
    return secret


def _path(name: str) -> str:
    return f"/api/v1/clusters/{quote(name, safe='')}"
