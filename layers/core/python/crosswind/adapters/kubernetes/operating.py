"""A cluster as its operator reaches it: by a kubeconfig of any kind, through the `kubernetes` package.

The launcher does without that package (`calls.py` says why). A person's kubeconfig may run a program or ask an identity
provider, which the package knows how to do, and a second more at its start does not matter here.
"""

import contextlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from kubernetes.config.config_exception import ConfigException
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import ResourceNotFoundError
from urllib3.exceptions import HTTPError

from crosswind.runs.clusters.examination.ports import RefusedError

FIELD_MANAGER = "crosswind"
_MISSING, _CONFLICT = 404, 409
_BOOKKEEPING = ("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp")

Json = dict[str, Any]


class UnreachableError(Exception):
    """The kubeconfig cannot be used, or nothing answers behind it."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of one object."""

    name: str
    """Kind and name."""

    namespace: str | None
    change: str
    error: str | None = None

    def document(self) -> Json:
        """For scripts."""
        made: Json = {"object": self.name, "namespace": self.namespace, "change": self.change}
        return made | ({"error": self.error} if self.error else {})


@dataclass(frozen=True)
class OperatedCluster:
    """One API server, with the operator's rights."""

    api: client.ApiClient
    dynamic: Any

    @classmethod
    @contextlib.contextmanager
    def opened(cls, kubeconfig: Path | None, context: str | None) -> "Iterator[OperatedCluster]":
        """Connect. Raises UnreachableError."""
        try:
            api = config.new_client_from_config(
                config_file=str(kubeconfig) if kubeconfig else None, context=context, persist_config=False
            )
        except (ConfigException, OSError) as error:
            raise UnreachableError(f"the kubeconfig cannot be used: {error}") from error
        api.configuration.retries = False
        try:
            with api:
                yield cls(api, DynamicClient(api))
        except HTTPError as error:
            raise UnreachableError(f"{api.configuration.host} does not answer: {error}") from error

    @property
    def server(self) -> str:
        """Its address."""
        return str(self.api.configuration.host)

    def apply(self, objects: Sequence[Mapping[str, Any]], *, dry_run: bool, force: bool) -> list[Applied]:
        """Apply objects in their order; one that is refused does not keep back those behind it."""
        coming = {each["metadata"]["name"] for each in objects if each["kind"] == "Namespace"}
        return [self._apply(each, dry_run=dry_run, force=force, coming=coming) for each in objects]

    def _apply(self, item: Mapping[str, Any], *, dry_run: bool, force: bool, coming: set[str]) -> Applied:
        metadata = item["metadata"]
        namespace, name = metadata.get("namespace"), f"{item['kind']}/{metadata['name']}"
        try:
            resource = self.dynamic.resources.get(api_version=item["apiVersion"], kind=item["kind"])
            before = self._now(resource, metadata["name"], namespace)
            after = self.dynamic.server_side_apply(
                resource,
                body=dict(item),
                name=metadata["name"],
                namespace=namespace,
                field_manager=FIELD_MANAGER,
                force_conflicts=force,
                **({"dry_run": "All"} if dry_run else {}),
            ).to_dict()
        except ResourceNotFoundError:
            told = f"the cluster knows no {item['kind']} of {item['apiVersion']}"
            return Applied(name, namespace, "refused", told)
        except ApiException as error:
            if dry_run and error.status == _MISSING and namespace in coming:
                return Applied(name, namespace, "created")  # its namespace would be there by then
            return Applied(name, namespace, "refused", _told(error))
        if before is None:
            return Applied(name, namespace, "created")
        return Applied(name, namespace, "unchanged" if _bare(before) == _bare(after) else "changed")

    def _now(self, resource: Any, name: str, namespace: str | None) -> Json | None:
        try:
            found: Json = resource.get(name=name, namespace=namespace).to_dict()
        except ApiException as error:
            if error.status == _MISSING:
                return None
            raise
        return found

    def get(self, path: str) -> Json | None:
        """What a path answers; None where there is nothing. Raises RefusedError."""
        try:
            return self._call("GET", path)
        except RefusedError as error:
            if error.status == _MISSING:
                return None
            raise

    def create(self, path: str, body: Mapping[str, Any], *, dry_run: bool = False) -> Json:
        """Make an object. Raises RefusedError."""
        return self._call("POST", path, body=body, query=[("dryRun", "All")] if dry_run else [])

    def delete(self, path: str) -> None:
        """Delete an object and what belongs to it. Raises RefusedError."""
        self._call("DELETE", path, query=[("propagationPolicy", "Background")])

    def text(self, path: str) -> str:
        """The text that a path answers, such as a log. Raises RefusedError."""
        return self._raw("GET", path, None, [])[0]

    def clock_ahead(self) -> float | None:
        """Seconds that the server's clock is ahead of this machine's, as far as a Date header tells."""
        before = time.time()
        _, headers = self._raw("GET", "/version", None, [])
        between = (before + time.time()) / 2
        said = headers.get("Date")
        if said is None:
            return None
        return (
            parsedate_to_datetime(said).timestamp() + 0.5 - datetime.fromtimestamp(between, UTC).timestamp()
        )

    def _call(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Sequence[tuple[str, str]] = (),
    ) -> Json:
        answer: Json = json.loads(self._raw(method, path, body, list(query))[0] or "{}")
        return answer

    def _raw(
        self, method: str, path: str, body: Mapping[str, Any] | None, query: list[tuple[str, str]]
    ) -> tuple[str, Mapping[str, str]]:
        try:
            answer = self.dynamic.request(
                method,
                path,
                body=body,
                query_params=query,
                header_params={"Accept": "application/json, */*"},
                serialize=False,
            )
        except ApiException as error:
            raise RefusedError(error.status or 0, _told(error)) from error
        return answer.data.decode(), answer.getheaders()


def _told(error: ApiException) -> str:
    """What the server said, in its own words."""
    text = error.body.decode() if isinstance(error.body, bytes) else str(error.body or error.reason)
    try:
        said = json.loads(text)["message"]
    except (ValueError, KeyError, TypeError):
        said = text
    hint = "; --force-conflicts takes them over" if error.status == _CONFLICT else ""
    return f"{' '.join(str(said).split())}{hint}"


def _bare(item: Json) -> Json:
    metadata = {key: value for key, value in item["metadata"].items() if key not in _BOOKKEEPING}
    return {key: value for key, value in item.items() if key not in ("metadata", "status")} | {
        "metadata": metadata
    }
