"""What the controller is told by its environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from crosswind.settings import SettingsError

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_HEALTH_ADDRESS = "127.0.0.1:8081"
_LOG_LEVEL = "INFO"


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerSettings:
    """Variables of the controller.

    CROSSWIND_ENDPOINT: address of the API.
    CROSSWIND_TOKEN_FILE: a file with the bearer token, read anew for each call; or CROSSWIND_TOKEN, the token itself.
    CROSSWIND_NAMESPACES: namespaces to look after, with commas; without it all of them.
    CROSSWIND_HEALTH_ADDRESS: host and port of the health endpoint; 127.0.0.1:8081 unless told.
    CROSSWIND_CLUSTER: the name by which the control plane knows this cluster: its Jobs and pods are then watched, for
    which the settings of the stores are needed, too.
    CROSSWIND_LOG_LEVEL: INFO unless told.
    """

    endpoint: str
    token: str | None = None
    token_file: Path | None = None
    namespaces: tuple[str, ...] = ()
    health_address: str = _HEALTH_ADDRESS
    cluster: str | None = None
    log_level: str = _LOG_LEVEL

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> "ControllerSettings":
        """Raises SettingsError that names every fault."""
        source = os.environ if environ is None else environ
        endpoint = source.get("CROSSWIND_ENDPOINT", "").rstrip("/")
        token, file = source.get("CROSSWIND_TOKEN"), source.get("CROSSWIND_TOKEN_FILE")
        level = source.get("CROSSWIND_LOG_LEVEL", _LOG_LEVEL).upper()
        faults = []
        if fault := _endpoint_fault(endpoint):
            faults.append(fault)
        if not token and not file:
            faults.append("neither CROSSWIND_TOKEN_FILE nor CROSSWIND_TOKEN is set")
        if level not in ("DEBUG", "INFO", "WARNING", "ERROR"):
            faults.append(f"CROSSWIND_LOG_LEVEL is {level!r}, not DEBUG, INFO, WARNING or ERROR")
        if faults:
            raise SettingsError("; ".join(faults))
        names = source.get("CROSSWIND_NAMESPACES", "").split(",")
        return cls(
            endpoint=endpoint,
            token=token or None,
            token_file=Path(file) if file else None,
            namespaces=tuple(name.strip() for name in names if name.strip()),
            health_address=source.get("CROSSWIND_HEALTH_ADDRESS") or _HEALTH_ADDRESS,
            cluster=source.get("CROSSWIND_CLUSTER") or None,
            log_level=level,
        )

    def bearer(self) -> str:
        """The token as it is now. Raises OSError where its file cannot be read."""
        if self.token_file is not None:
            return self.token_file.read_text(encoding="utf-8").strip()
        return self.token or ""


def _endpoint_fault(endpoint: str) -> str | None:
    parts = urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return f"CROSSWIND_ENDPOINT is {endpoint!r}, no http(s) address"
    if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
        return f"CROSSWIND_ENDPOINT is {endpoint}, which would carry the token in clear text: https is needed"
    return None
