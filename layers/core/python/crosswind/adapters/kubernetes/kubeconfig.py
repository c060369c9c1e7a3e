"""What a kubeconfig says of one cluster. One that would run a program is refused: it would run on other machines, as others.

Paths in it are relative to its own folder, as kubectl takes them.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from crosswind.kernel.errors import FieldError, InvalidInputError

MAX_BYTES = 1024 * 1024
_PROGRAMS = ("exec", "auth-provider")
_PLAIN = ("username", "password")


@dataclass(frozen=True, slots=True, repr=False)
class KubeconfigCluster:
    """Address and credentials of a context. Not for logs."""

    context: str
    endpoint: str
    certificate_authority: str | None
    server_name: str | None
    credentials: Mapping[str, str]  # {token} or {clientCertificate, clientKey}


def read_kubeconfig(path: Path, *, context: str | None = None) -> KubeconfigCluster:
    """The named context, or the current one.

    Raises:
        InvalidInputError: It cannot be read, has no such context, or holds what is not taken; with the field.
    """
    document = _load(path)
    name = context or document.get("current-context")
    if not isinstance(name, str) or not name:
        raise _fault("current-context", "is not set", "the name of a context: --context NAME")
    chosen = _named(document, "contexts", name, "context")
    cluster = _named(document, "clusters", str(chosen.get("cluster")), "cluster")
    user = _named(document, "users", str(chosen.get("user")), "user")
    endpoint = cluster.get("server")
    if not isinstance(endpoint, str) or not endpoint.startswith("https://"):
        raise _fault("cluster.server", "is no https address", "https://…")
    if cluster.get("insecure-skip-tls-verify"):
        raise _fault("cluster.insecure-skip-tls-verify", "is not taken", "certificate-authority-data")
    return KubeconfigCluster(
        context=name,
        endpoint=endpoint,
        certificate_authority=_text(cluster, "certificate-authority", path),
        server_name=cluster.get("tls-server-name"),
        credentials=_credentials(user, path),
    )


def _load(path: Path) -> Mapping[str, Any]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise _fault(str(path), f"is over {MAX_BYTES} bytes", None)
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise _fault(str(path), f"cannot be read: {error}", "a kubeconfig") from error
    if not isinstance(document, Mapping):
        raise _fault(str(path), "is no mapping", "a kubeconfig")
    return document


def _named(document: Mapping[str, Any], field: str, name: str, kind: str) -> Mapping[str, Any]:
    listed = document.get(field)
    entries = [each for each in listed if isinstance(each, Mapping)] if isinstance(listed, list) else []
    for entry in entries:
        if entry.get("name") == name and isinstance(entry.get(kind), Mapping):
            found: Mapping[str, Any] = entry[kind]
            return found
    known = ", ".join(str(entry.get("name")) for entry in entries)
    raise _fault(field, f"has no {kind} `{name}`", known or None)


def _credentials(user: Mapping[str, Any], path: Path) -> Mapping[str, str]:
    for name in _PROGRAMS:
        if user.get(name):
            raise _fault(
                f"user.{name}", "runs a program, which no launcher does", "a token or a client certificate"
            )
    for name in _PLAIN:
        if user.get(name):
            raise _fault(
                f"user.{name}", "is not taken by clusters of today", "a token or a client certificate"
            )
    token = user.get("token")
    if not token and isinstance(user.get("tokenFile"), str):
        token = _read(path, user["tokenFile"], "user.tokenFile").strip()
    if token:
        return {"token": str(token)}
    certificate, key = _text(user, "client-certificate", path), _text(user, "client-key", path)
    if certificate and key:
        return {"clientCertificate": certificate, "clientKey": key}
    raise _fault("user", "has no credentials", "a token, or client-certificate-data and client-key-data")


def _text(holder: Mapping[str, Any], name: str, path: Path) -> str | None:
    """PEM, from `name-data` or from the file that `name` names."""
    data = holder.get(f"{name}-data")
    if isinstance(data, str) and data:
        try:
            return base64.b64decode(data, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise _fault(f"{name}-data", "is not base64 of a text", None) from error
    file = holder.get(name)
    return _read(path, file, name) if isinstance(file, str) and file else None


def _read(kubeconfig: Path, file: str, field: str) -> str:
    try:
        return (kubeconfig.parent / file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _fault(field, f"cannot be read: {error}", "a file beside the kubeconfig") from error


def _fault(path: str, message: str, expected: str | None) -> InvalidInputError:
    return InvalidInputError("the kubeconfig cannot be used", [FieldError(path, message, expected)])
