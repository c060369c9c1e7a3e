"""From a cluster's text to a Cluster, or to every fault at once."""

import ssl
from collections.abc import Iterator, Mapping
from typing import Any

from crosswind.contracts.clusters import CapacityKind, Cluster, ClusterRole
from crosswind.contracts.documents import Fault, document_of, model_of, read_bounded
from crosswind.contracts.spec_text import Document
from crosswind.contracts.suites import duration_seconds

MAX_CLUSTER_BYTES = 64 * 1024
_PENDING = (30, 3600)
_BEGIN = "-----BEGIN CERTIFICATE-----"


def parse_cluster(text: str | bytes) -> Cluster:
    """Parse YAML or JSON.

    Raises:
        InvalidInputError: With every fault.
        TooLargeError: The text is over 64 KiB.
    """
    return _parse(read_bounded(text, noun="cluster", most_bytes=MAX_CLUSTER_BYTES))


def cluster_of(document: Mapping[str, Any]) -> Cluster:
    """One that was stored: it was checked then."""
    return Cluster.model_validate(document, by_alias=True, by_name=False)


def to_document(cluster: Cluster) -> dict[str, Any]:
    """The cluster as the document that `cluster_of` reads."""
    return document_of(cluster)


def _parse(document: Document) -> Cluster:
    return model_of(document, Cluster, noun="cluster", ruled=_faults(document.value))


def _faults(document: object) -> Iterator[Fault]:
    spec = _mapping(_mapping(document).get("spec"))
    authority = _mapping(spec.get("connection")).get("certificateAuthority")
    if isinstance(authority, str) and (fault := _no_authority(authority)):
        yield ("spec", "connection", "certificateAuthority"), fault, f"PEM: {_BEGIN} …"
    yield from _pending(spec.get("pending"))
    yield from _capacity(spec)
    if spec.get("role") == ClusterRole.APPLICATION and spec.get("teams"):
        yield ("spec", "teams"), "no test pod runs on a cluster of role `application`", "leave it out"


def _no_authority(text: str) -> str | None:
    """Why it is no certificate, or several: what OpenSSL reads now it reads when the cluster is called."""
    if _BEGIN not in text:
        return "is no certificate"
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
    except (ssl.SSLError, ValueError) as error:
        return f"is a damaged certificate: {error}"
    return None


def _pending(pending: object) -> Iterator[Fault]:
    if not isinstance(pending, str):
        return
    try:
        seconds = duration_seconds(pending)
    except ValueError:
        return
    least, most = _PENDING
    if not least <= seconds <= most:
        yield ("spec", "pending"), f"is {seconds} s", f"{least} s to {most} s"


def _capacity(spec: Mapping[str, Any]) -> Iterator[Fault]:
    offers = spec.get("capacity")
    kinds = [_mapping(offer).get("kind") for offer in offers] if isinstance(offers, list) else []
    for index, kind in enumerate(kinds):
        if kind is not None and kind in kinds[:index]:
            yield ("spec", "capacity", index, "kind"), f"`{kind}` is offered twice", "each kind once"
    if kinds and set(kinds) == {CapacityKind.SPOT.value}:
        yield (
            ("spec", "capacity"),
            "has Spot alone: what must not be interrupted could never run",
            "a second offer, such as onDemand or fargate",
        )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
