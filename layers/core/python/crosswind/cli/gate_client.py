"""The API's operations on the halt switch, on policies and on incidents."""

from dataclasses import dataclass
from urllib.parse import quote

from crosswind.cli.client import ApiClient
from crosswind.contracts.chaos.gate import (
    ChaosPolicy,
    HaltRequest,
    HaltView,
    IncidentAccepted,
    PolicyList,
    PolicyView,
    RecordIncidentRequest,
    ReleaseRequest,
)


@dataclass(frozen=True)
class GateClient:
    """One method per operation; each may be repeated."""

    api: ApiClient

    def halt(self, request: HaltRequest) -> HaltView:
        return self.api.write("POST", "/api/v1/chaos/halt", request, HaltView)

    def release(self, request: ReleaseRequest) -> HaltView:
        return self.api.write("POST", "/api/v1/chaos/release", request, HaltView)

    def halted(self) -> HaltView:
        return self.api.read("/api/v1/chaos/halt", HaltView)

    def policies(self) -> PolicyList:
        return self.api.read("/api/v1/chaos/policies", PolicyList)

    def policy(self, environment: str) -> PolicyView:
        return self.api.read(_policy(environment), PolicyView)

    def put_policy(self, document: ChaosPolicy) -> PolicyView:
        return self.api.write("PUT", _policy(document.metadata.name), document, PolicyView)

    def record_incident(self, request: RecordIncidentRequest) -> IncidentAccepted:
        return self.api.write("POST", "/api/v1/incidents", request, IncidentAccepted)


def _policy(environment: str) -> str:
    return f"/api/v1/chaos/policies/{quote(environment, safe='')}"
