"""Fetches one commit of a Git repository: shallow, without hooks, submodules, prompts or anyone's credentials."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from crosswind.adapters.frameworks.base import read_left
from crosswind.contracts.work import GitSource
from crosswind.runner.faults import InfrastructureFaultError, Interruption
from crosswind.runner.logs import AttemptLog
from crosswind.runner.sandbox import Exit, Sandbox
from crosswind.runs.infrastructure import InfrastructureReason

PROTOCOLS = frozenset({"https", "ssh"})
LOCAL_PROTOCOLS = PROTOCOLS | {"file"}  # on one's own machine, as the rules for suites have it
_FETCH_TRIES = 3
_LONGEST_COMMIT = 64
_COMMIT = re.compile(r"[0-9a-f]{40,64}")
_SAFE_REF = re.compile(r"^(?!-)(?!.*\.\.)[A-Za-z0-9_./@+=#-]{1,255}$")
_NETWORK_TROUBLE = re.compile(
    r"could not resolve host|connection (?:timed out|refused|reset)|failed to connect|early eof|rpc failed"
    r"|unable to access .*(?:5\d\d|ssl|tls)|remote end hung up|operation timed out|couldn't connect",
    re.IGNORECASE,
)


class SourceRefusedError(Exception):
    """The source cannot be had as it is described. No retry mends it."""


@dataclass(frozen=True, slots=True)
class GitFetch:
    """Runs git in the sandbox. `protocols` are wider in stage `local`."""

    sandbox: Sandbox
    log: AttemptLog
    interruption: Interruption
    remaining: Callable[[], float]  # seconds that the preparation still has
    protocols: frozenset[str] = PROTOCOLS

    def __call__(self, source: GitSource) -> str:
        """Check the commit out into the working directory and return its id.

        Raises SourceRefusedError, or InfrastructureFaultError where the network is to blame.
        """
        scheme = source.uri.partition("://")[0]
        if scheme not in self.protocols or any(character.isspace() for character in source.uri):
            raise SourceRefusedError(f"{source.uri!r} is not an address that may be fetched")
        if not _SAFE_REF.match(source.ref):
            raise SourceRefusedError(f"{source.ref!r} is not the name of a branch, a tag or a commit")
        self._git("init", "--quiet", "--initial-branch=crosswind", ".")
        if source.paths:
            self._git("sparse-checkout", "set", "--no-cone", "--", *source.paths)
        self._fetch(source)
        self._git("checkout", "--quiet", "--detach", "FETCH_HEAD")
        head = read_left(self.sandbox.place.work / ".git" / "HEAD", limit=_LONGEST_COMMIT + 2) or b""
        commit = head.decode("ascii", "replace").strip()
        if not _COMMIT.fullmatch(commit):
            raise SourceRefusedError("git has left no commit")
        return commit

    def _fetch(self, source: GitSource) -> None:
        for left in range(_FETCH_TRIES - 1, -1, -1):
            start = self.log.size
            argv = ("fetch", "--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules", "--")
            end = self._start(*argv, source.uri, source.ref)
            if end.code == 0:
                return
            said = self.log.last_lines(after=start)
            if end.timed_out or not _NETWORK_TROUBLE.search(said):
                raise SourceRefusedError(f"{source.ref} of {source.uri} could not be fetched: {said}")
            if left == 0:
                raise InfrastructureFaultError(
                    InfrastructureReason.SOURCE_UNREACHABLE, f"{source.uri} cannot be reached: {said}"
                )
            self.interruption.wait(2.0 * (_FETCH_TRIES - left))
            self.interruption.check()

    def _git(self, *arguments: str) -> None:
        start = self.log.size
        end = self._start(*arguments)
        if end.code != 0:
            raise SourceRefusedError(f"git {arguments[0]} failed: {self.log.last_lines(after=start)}")

    def _start(self, *arguments: str) -> Exit:
        nothing = str(Path("/dev/null"))
        end = self.sandbox.run(
            (
                *("git", "-c", f"core.hooksPath={nothing}", "-c", "core.fsmonitor=false"),
                *("-c", "credential.helper=", "-c", "advice.detachedHead=false", "-c", "gc.auto=0"),
                *arguments,
            ),
            env={
                "GIT_TERMINAL_PROMPT": "0",
                "GIT_ALLOW_PROTOCOL": ":".join(sorted(self.protocols)),
                "GIT_CONFIG_NOSYSTEM": "1",
                "GIT_CONFIG_GLOBAL": nothing,
                "GIT_SSH_COMMAND": "ssh -o BatchMode=yes -o StrictHostKeyChecking=yes",
                "GIT_LFS_SKIP_SMUDGE": "1",
            },
            timeout_seconds=self.remaining(),
            output=self.log.write,
            interruption=self.interruption,
        )
        self.interruption.check()
        return end
