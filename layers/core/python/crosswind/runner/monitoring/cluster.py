"""Probes of Kubernetes objects, where the runner has a client and a cluster at hand."""

from typing import Any

from crosswind.contracts.chaos.probes import KubernetesProbe
from crosswind.contracts.suites import duration_seconds
from crosswind.runner.monitoring.measuring import Measured, UnmeasurableError


def take(probe: KubernetesProbe) -> Measured:
    """The objects as a document `{items: [...]}`; well where there is at least one."""
    try:
        from kubernetes import client, config, dynamic  # noqa: PLC0415  # a second to import, and an extra of its own
        from kubernetes.client.exceptions import ApiException  # noqa: PLC0415
        from kubernetes.config.config_exception import ConfigException  # noqa: PLC0415
    except ImportError as error:
        raise UnmeasurableError(
            "this runner has no Kubernetes client: install crosswind[kubernetes]"
        ) from error
    try:
        config.load_config()
    except ConfigException as error:
        raise UnmeasurableError(f"there is no cluster at hand: {error}") from error
    selected: dict[str, Any] = {"namespace": probe.namespace}
    if probe.object_name:
        selected["field_selector"] = f"metadata.name={probe.object_name}"
    if probe.label_selector:
        selected["label_selector"] = probe.label_selector
    try:
        api = dynamic.DynamicClient(client.ApiClient())
        resource = api.resources.get(api_version=probe.api_version, kind=probe.object_kind)
        listed = resource.get(**selected, _request_timeout=duration_seconds(probe.timeout)).to_dict()
    except (
        ApiException,
        dynamic.exceptions.DynamicApiError,
        dynamic.exceptions.ResourceNotFoundError,
    ) as error:
        raise UnmeasurableError(f"the cluster did not tell: {error}") from error
    items = listed.get("items") or []
    return Measured({"items": items}, well=bool(items), detail=f"{len(items)} objects")
