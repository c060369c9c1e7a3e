"""The environment of everything that a suite brings along: an allow-list, never a copy of the runner's own."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

MARKER = "CROSSWIND_SANDBOX"
"""Names the runner in each process that it started, so that its successor finds what a killed runner left behind."""

_INHERITED = frozenset(
    {
        *("LANG", "LANGUAGE", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
        *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
        *("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_CERT", "PIP_DEFAULT_TIMEOUT"),
        *("PIP_DISABLE_PIP_VERSION_CHECK", "UV_INDEX_URL", "UV_DEFAULT_INDEX", "NPM_CONFIG_REGISTRY"),
    }
)
"""What tests may see of the machine's settings. An address that holds a password is left out."""


@dataclass(frozen=True, slots=True)
class TestEnvironment:
    """How to make the environment. `test_python` is the folder that holds the tests' own `python`."""

    __test__ = False  # pytest: not a test class

    inherited: Mapping[str, str]
    path: str
    marker: str

    @classmethod
    def of(
        cls,
        environ: Mapping[str, str],
        *,
        marker: str,
        test_python: Path | None,
        passed_on: frozenset[str] = frozenset(),
    ) -> "TestEnvironment":
        """Take what is allowed from the runner's environment, and what its operator passes on by name."""
        inherited = {
            name: value
            for name, value in environ.items()
            if name in passed_on
            or ((name in _INHERITED or name.startswith("LC_")) and not _holds_password(value))
        }
        return cls(inherited=inherited, path=_search_path(environ, test_python), marker=marker)

    def build(self, *, home: Path, temporary: Path, given: Mapping[str, str]) -> dict[str, str]:
        """The whole environment of one command. What the suite gives wins, but for the marker."""
        environment = {
            "LANG": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",
            **self.inherited,
            "PATH": self.path,
            "HOME": str(home),
            "TMPDIR": str(temporary),
            "USER": "crosswind",
            "LOGNAME": "crosswind",
            "CROSSWIND": "true",
            **given,
        }
        if environment["PATH"] != self.path:
            environment["PATH"] = environment["PATH"].replace("$PATH", self.path)
        environment[MARKER] = self.marker
        return environment


def _search_path(environ: Mapping[str, str], test_python: Path | None) -> str:
    """The tests' Python first, then the machine's folders without those of the runner's own virtual environment."""
    own = Path(sys.prefix) if sys.prefix != sys.base_prefix else None
    folders = [str(test_python)] if test_python else []
    for folder in environ.get("PATH", os.defpath).split(os.pathsep):
        path = Path(folder)
        if folder and path.is_absolute() and not (own and path.is_relative_to(own)):
            folders.append(folder)
    return os.pathsep.join(dict.fromkeys(folders))


def _holds_password(value: str) -> bool:
    try:
        return any(urlsplit(part).password is not None for part in value.split())
    except ValueError:
        return True
