"""The API's operations on frameworks."""

from dataclasses import dataclass
from urllib.parse import quote

from crosswind.cli.client import ApiClient, Query
from crosswind.contracts.framework_answers import FrameworkPage, FrameworkView, PutFrameworkAnswer


@dataclass(frozen=True)
class FrameworkClient:
    """One method per operation; each may be repeated."""

    api: ApiClient

    def list(self, query: Query) -> FrameworkPage:
        return self.api.read("/api/v1/frameworks", FrameworkPage, query)

    def get(self, name: str, *, team: str | None) -> FrameworkView:
        return self.api.read(_path(name), FrameworkView, {"team": team})

    def put(self, name: str, text: str) -> PutFrameworkAnswer:
        return self.api.write("PUT", _path(name), text, PutFrameworkAnswer)

    def delete(self, name: str, *, team: str | None) -> None:
        self.api.delete(_path(name), {"team": team})


def _path(name: str) -> str:
    return f"/api/v1/frameworks/{quote(name, safe='')}"
