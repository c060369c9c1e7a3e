"""Runs MiniStack so that it survives kill -9: while it serves, its whole state is written down every few seconds.

This file is run by the emulator's own interpreter, in the emulator's own virtual environment, so it imports nothing but
the standard library, MiniStack and `emulator_environments`, which does the same. `crosswind.local.emulator` starts it and sets the environment.

MiniStack writes its state only on a clean stop. Here a snapshot is a fork: the child owns a copy-on-write image of the
process as it was between two requests, writes it out at low priority and exits, while the parent goes on serving. A
snapshot is a folder of its own; the file CURRENT names the newest whole one and is replaced in one step, so that a crash
at any moment leaves a whole state behind. Large binary values (function and layer archives) are kept once, by content.
"""

# MiniStack offers no public way to its state, so its exact version is pinned and its internals are used.
# ruff: noqa: SLF001

import asyncio
import copy
import hashlib
import json
import os
import random
import shutil
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

INTERVAL_SECONDS = 2.0
_REST = 9  # times what a snapshot took: it is to be a tenth of the time, but never put off for long
_LONGEST_REST_SECONDS = 2.5
CHILD_LIMIT_SECONDS = 30  # a child that a lock inherited from another thread holds up ends itself
LOCK_WAIT_SECONDS = 0.5
LARGE_VALUE_BYTES = 64 * 1024
ENVIRONMENTS_PER_FUNCTION = max(2, os.cpu_count() or 1)
_BLOB = "__crosswind_blob__"
_BATCHED = ("SendMessage", "DeleteMessage", "ChangeMessageVisibility")

ASGIApp = Callable[
    [dict[str, Any], Callable[..., Awaitable[Any]], Callable[..., Awaitable[Any]]], Awaitable[None]
]


class SnapshotFolder:
    """The folder of snapshots: `<number>/<service>.json`, `blobs/<sha256>` and the pointer CURRENT."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._blobs = root / "blobs"
        self._blobs.mkdir(parents=True, exist_ok=True)

    def current(self) -> Path | None:
        """The newest whole snapshot; None before the first, and where the pointer's content was lost with the power."""
        pointer = self.root / "CURRENT"
        if not pointer.exists():
            return None
        name = pointer.read_text(encoding="ascii").strip()
        folder = self.root / name
        return folder if name.isdecimal() and folder.is_dir() else None

    def begin(self) -> Path:
        """An empty folder for the next snapshot."""
        numbers = [int(entry.name) for entry in self.root.iterdir() if entry.name.isdecimal()]
        folder = self.root / str(max(numbers, default=0) + 1)
        folder.mkdir()
        return folder

    def finish(self, folder: Path) -> None:
        """Make the folder the current snapshot and remove the ones before it; nothing where a later one is current."""
        current = self.current()
        if not folder.is_dir() or (current is not None and int(current.name) > int(folder.name)):
            return
        staged = self.root / f"CURRENT.{folder.name}"
        staged.write_text(folder.name, encoding="ascii")
        staged.replace(self.root / "CURRENT")
        for entry in self.root.iterdir():
            if entry.name.isdecimal() and int(entry.name) < int(folder.name):
                shutil.rmtree(entry, ignore_errors=True)

    def keep(self, data: bytes) -> str:
        """Store a large value once; returns its name."""
        name = hashlib.sha256(data).hexdigest()
        path = self._blobs / name
        if not path.exists():
            staged = path.with_suffix(f".{os.getpid()}")
            staged.write_bytes(data)
            staged.replace(path)
        return name

    def fetch(self, name: str) -> bytes:
        """Read a value that `keep` stored."""
        return (self._blobs / name).read_bytes()


@dataclass(frozen=True)
class Codec:
    """Reads and writes one service's state."""

    load_state: Callable[[str], object]
    encode_state: Callable[[str, object], str]


def build_codec(folder: SnapshotFolder, persistence: Any) -> Codec:
    """MiniStack's own format, except that large values are referred to instead of held, and encoded in one call."""
    encode, decode = persistence._json_default, persistence._json_object_hook

    def default(value: object) -> object:
        if isinstance(value, bytes | bytearray) and len(value) >= LARGE_VALUE_BYTES:
            return {_BLOB: folder.keep(bytes(value))}
        if isinstance(value, set | frozenset):
            return sorted(value)
        return encode(value)

    def hook(value: dict[str, Any]) -> object:
        name = value.get(_BLOB)
        return folder.fetch(name) if isinstance(name, str) else decode(value)

    def load_state(service: str) -> object:
        path = (folder.current() or folder.root) / f"{service}.json"
        if not path.exists():
            return None
        return json.loads(path.read_text(encoding="utf-8"), object_hook=hook)["payload"]

    def encode_state(service: str, data: object) -> str:
        wrapped = {"__ministack_format__": persistence._state_format_version(service), "payload": data}
        return json.dumps(wrapped, default=default)

    return Codec(load_state=load_state, encode_state=encode_state)


def write_snapshot(folder: SnapshotFolder, services: dict[str, Callable[[], Any]], codec: "Codec") -> None:
    """Write every service's state into a new snapshot. A service that cannot be written keeps its last state."""
    last, target = folder.current(), folder.begin()
    try:
        for service, get_state in services.items():
            path = target / f"{service}.json"
            try:
                state = get_state()
                if state is not None:
                    path.write_text(codec.encode_state(service, state), encoding="utf-8")
            except Exception as error:  # noqa: BLE001  # one service's fault must not cost the others' state
                print(f"snapshot: {service} cannot be written: {error!r}", file=sys.stderr, flush=True)
                if last is not None and (last / path.name).exists():
                    shutil.copyfile(last / path.name, path)
        folder.finish(target)
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise


class Snapshots:
    """Takes a snapshot every two to five seconds from inside the server's event loop."""

    def __init__(self, folder: SnapshotFolder, application: Any, codec: Codec) -> None:
        self._folder = folder
        self._application = application
        self._codec = codec

    async def run(self) -> None:
        """Loop until the server stops. A slow or failed snapshot is reported and tried again."""
        while True:
            await asyncio.sleep(INTERVAL_SECONDS)
            started = time.monotonic()
            status = await self._await_end(self._fork())
            seconds = time.monotonic() - started
            if status != 0:
                print(
                    f"snapshot failed with status {status} after {seconds:.1f} s", file=sys.stderr, flush=True
                )
            await asyncio.sleep(min(_REST * seconds, _LONGEST_REST_SECONDS))

    async def _await_end(self, child: int) -> int:
        """The child's status. When the server stops, the child ends at once: the last snapshot is the server's own."""
        try:
            while True:
                done, status = os.waitpid(child, os.WNOHANG)  # noqa: ASYNC222  # it does not wait
                if done:
                    return status
                await asyncio.sleep(0.05)
        except asyncio.CancelledError:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)  # noqa: ASYNC222  # it is killed
            raise

    def _fork(self) -> int:
        with _held(_state_locks()):
            child = os.fork()
        if child:
            return child
        status = 1
        try:
            _become_snapshot_child()
            write_snapshot(self._folder, self._application._build_persistence_save_dict(), self._codec)
            status = 0
        except BaseException as error:  # noqa: BLE001  # this process must not go on as a second server
            print(f"snapshot: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        finally:
            os._exit(status)


def _become_snapshot_child() -> None:
    """Let go of everything that belongs to the server: signals, sockets, priority, and needless copying."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)
    signal.alarm(CHILD_LIMIT_SECONDS)
    os.closerange(3, min(1 << 16, os.sysconf("SC_OPEN_MAX")))
    os.nice(5)
    # This process only reads its image, and every deep copy would double it.
    setattr(copy, "deepcopy", _as_it_is)  # noqa: B010  # a type checker cannot know that this is meant
    functions = sys.modules.get("ministack.services.lambda_svc")
    if functions is not None:
        # The current snapshot may still need an archive that this one does not.
        setattr(functions, "_prune_orphan_code_blobs", _keep_all)  # noqa: B010


def _as_it_is(value: Any, _: object = None) -> Any:
    return value


def _keep_all(_: object) -> None:
    return None


def _state_locks() -> list[threading.Lock]:
    names = (("dynamodb", "_lock"), ("sqs", "_queues_lock"))
    modules = ((sys.modules.get(f"ministack.services.{module}"), lock) for module, lock in names)
    return [getattr(module, lock) for module, lock in modules if module is not None]


@contextmanager
def _held(locks: list[threading.Lock]) -> Iterator[None]:
    """Hold the stores' locks, so that no transaction of another thread is cut in two. Both processes release them."""
    taken = [lock for lock in locks if lock.acquire(timeout=LOCK_WAIT_SECONDS)]
    try:
        yield
    finally:
        for lock in taken:
            lock.release()


def with_snapshots(server: ASGIApp, snapshots: Snapshots) -> ASGIApp:
    """The server, with snapshots from the end of its start to the beginning of its stop."""

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            await server(scope, receive, send)
            return
        tasks: list[asyncio.Task[None]] = []

        async def watched_receive() -> Any:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                for task in tasks:
                    task.cancel()
                    with suppress(asyncio.CancelledError):
                        await task
            return message

        async def watched_send(message: Any) -> None:
            await send(message)
            if message["type"] == "lifespan.startup.complete":
                tasks.append(asyncio.create_task(snapshots.run()))

        await server(scope, watched_receive, watched_send)

    return application


def with_throttling(server: ASGIApp, *, share: Callable[[], float], chance: Callable[[], float]) -> ASGIApp:
    """The server, refusing a share of the DynamoDB calls as a table does that is asked too much.

    A test writes the share into a file while the cloud runs (`faults/throttling` in the emulator's folder); without the
    file nothing is refused.
    """
    body = b'{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException","message":"refused"}'

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        target = dict(scope.get("headers") or ()).get(b"x-amz-target", b"")
        if not target.startswith(b"DynamoDB_") or chance() >= share():
            await server(scope, receive, send)
            return
        while (await receive()).get("more_body"):
            pass
        headers = [(b"content-type", b"application/x-amz-json-1.0"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 400, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return application


def share_in(path: Path) -> float:
    """The number that a file holds; 0 without one."""
    try:
        return float(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 0.0


def check_batches_as_aws_does(actions: Any) -> None:
    """Check a batch of SQS calls by the permission of the single call, for AWS knows no action of the batch's name."""
    extract = actions.extract_iam_action
    single = {f"sqs:{name}Batch": f"sqs:{name}" for name in _BATCHED}

    def extract_iam_action(*args: Any, **options: Any) -> str | None:
        action: str | None = extract(*args, **options)
        return single.get(action, action) if action else None

    actions.extract_iam_action = extract_iam_action


def check_alarms_in_their_group(actions: Any) -> None:
    """Check a call on a schedule of EventBridge Scheduler against its group, where MiniStack takes all for the default one."""
    extract = actions.extract_resource_arn

    def extract_resource_arn(
        service: str, method: str, path: str, headers: Any, body: bytes, query: Any, *place: Any
    ) -> str:
        arn: str = extract(service, method, path, headers, body, query, *place)
        if service != "scheduler" or ":schedule/default/" not in arn:
            return arn
        given = query.get("groupName") or _json_field(body, "GroupName") or "default"
        group = given[0] if isinstance(given, list) else given
        return arn.replace(":schedule/default/", f":schedule/{group}/")

    actions.extract_resource_arn = extract_resource_arn


_KEY_CONDITIONS = frozenset({"pk = :pk", "pk = :pk AND begins_with(sk, :prefix)"})


def read_expressions_once(dynamodb: Any) -> None:
    """Keep what an expression was read as. MiniStack reads it for each item that it looks at: of a thousand shards at
    once, that was half of all its time."""
    for name in ("_tokenize", "_condition_syntax_error"):
        setattr(dynamodb, name, lru_cache(maxsize=2048)(getattr(dynamodb, name)))


def match_keys_directly(dynamodb: Any) -> None:
    """Decide the two key conditions of our stores without MiniStack's interpreter, which it asks for every item of the
    partition: a run of a thousand shards has thousands, and each read of one work item looked at all of them."""
    evaluate = dynamodb._evaluate_condition

    def matches(
        expression: str, item: Any, values: Any, names: Any, slot: str = "ConditionExpression"
    ) -> Any:
        if slot == "KeyConditionExpression" and expression in _KEY_CONDITIONS:
            try:
                prefix = values[":prefix"]["S"] if ":prefix" in expression else ""
                return item["pk"]["S"] == values[":pk"]["S"] and item["sk"]["S"].startswith(prefix)
            except (KeyError, TypeError):
                pass  # it is for MiniStack to say what is wrong
        return evaluate(expression, item, values, names, slot)

    dynamodb._evaluate_condition = matches


def _json_field(body: bytes, name: str) -> Any:
    try:
        found = json.loads(body or b"{}")
    except ValueError:
        return None
    return found.get(name) if isinstance(found, dict) else None


def main() -> None:
    """Serve until SIGTERM. The environment says where (see `crosswind.local.emulator`)."""
    state = Path(os.environ["STATE_DIR"])
    folder = SnapshotFolder(state)
    # MiniStack is only in the emulator's own environment, and reads its settings while it is imported.
    import ministack.app as application  # type: ignore[import-not-found]  # noqa: PLC0415
    from ministack.core import iam_actions, lambda_runtime, persistence  # type: ignore[import-not-found]  # noqa: PLC0415
    from ministack.services import dynamodb, lambda_svc  # type: ignore[import-not-found]  # noqa: PLC0415

    sys.path.append(str(Path(__file__).parents[2]))  # where this package lies; it is not installed here
    from crosswind.local.emulator_environments import share_layers, wait_for_environments  # noqa: PLC0415

    codec = build_codec(folder, persistence)
    check_batches_as_aws_does(iam_actions)
    check_alarms_in_their_group(iam_actions)
    read_expressions_once(dynamodb)
    match_keys_directly(dynamodb)
    wait_for_environments(lambda_svc, limit=ENVIRONMENTS_PER_FUNCTION)
    share_layers(lambda_runtime, state.parent / "layers")
    application.load_state = codec.load_state
    application.save_all = lambda services: write_snapshot(folder, services, codec)
    faults = state.parent / "faults"
    server = with_throttling(
        application.app, share=lambda: share_in(faults / "throttling"), chance=random.random
    )
    application.app = with_snapshots(server, Snapshots(folder, application, codec))
    application.main()


if __name__ == "__main__":
    main()
