"""A list of objects, kept up by list and watch.

Watches end, expire, and go silent without an error. So a watch lasts less than a minute, and every one begins with a
full list: nothing stays unknown for longer than that, whatever happens to watches.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Event, Lock

from crosswind.adapters.kubernetes.calls import ApiServer, ExpiredError, Json, MissingError
from crosswind.runs.pods.ports import ClusterError, JobKey

WATCH_SECONDS = 45
LONGEST_PAUSE = 15.0
_log = logging.getLogger(__name__)


@dataclass
class Reflection:
    """Objects of one kind by namespace and name. One thread keeps it up, others read.

    Args:
        changed: Called with each object that is new, changed or gone since it was seen last.
        keep_gone: Whether an object that was deleted is kept as it was last, until the next list: what became of a
            pod is often told by its last version alone.
    """

    server: ApiServer
    path: str
    query: Mapping[str, str]
    changed: Callable[[Json], None]
    keep_gone: bool = False
    watch_seconds: int = WATCH_SECONDS
    clock: Callable[[], float] = time.monotonic
    listed_at: float | None = field(default=None, init=False)
    _objects: dict[JobKey, Json] = field(default_factory=dict, init=False)
    _lock: Lock = field(default_factory=Lock, init=False)

    def objects(self) -> dict[JobKey, Json]:
        """As they are now."""
        with self._lock:
            return dict(self._objects)

    def keep_up(self, stop: Event) -> None:
        """Until `stop` is set. What fails is tried again after a pause that doubles."""
        pause = 0.0
        while not stop.wait(pause):
            try:
                self.list_and_watch()
                pause = 0.0
            except ExpiredError:
                pause = 0.0
            except (ClusterError, MissingError) as error:
                pause = min(LONGEST_PAUSE, pause * 2 or 0.5)
                _log.warning("%s is listed again in %.1f s: %s", self.path, pause, error)

    def list_and_watch(self) -> None:
        """List, then follow until the watch ends. Raises ClusterError, ExpiredError, MissingError."""
        found: dict[JobKey, Json] = {}
        version = ""
        for page in self.server.pages(self.path, query=self.query):
            version = version or page["metadata"]["resourceVersion"]
            found |= {_key(each): _lean(each) for each in page.get("items") or ()}
        self._replace(found)
        watched = {**self.query, "resourceVersion": version}
        for event in self.server.watch(self.path, query=watched, seconds=self.watch_seconds):
            self._apply(event)

    def _replace(self, found: dict[JobKey, Json]) -> None:
        with self._lock:
            before, self._objects = self._objects, found
        self.listed_at = self.clock()
        for key, each in found.items():
            if key not in before or _version(before[key]) != _version(each):
                self.changed(each)
        for key in before.keys() - found.keys():
            self.changed(before[key])

    def _apply(self, event: Json) -> None:
        kind, each = event.get("type"), event.get("object") or {}
        if kind not in ("ADDED", "MODIFIED", "DELETED"):
            return
        with self._lock:
            if kind == "DELETED" and not self.keep_gone:
                self._objects.pop(_key(each), None)
            else:
                self._objects[_key(each)] = _lean(each)
        self.changed(each)


def _key(each: Json) -> JobKey:
    return each["metadata"]["namespace"], each["metadata"]["name"]


def _version(each: Json) -> str:
    return str(each["metadata"].get("resourceVersion"))


def _lean(each: Json) -> Json:
    """Without what is long and read by nobody: a thousand pods are kept."""
    metadata = {name: value for name, value in each["metadata"].items() if name != "managedFields"}
    spec = {name: value for name, value in (each.get("spec") or {}).items() if name == "nodeName"}
    return {"metadata": metadata, "spec": spec, "status": each.get("status") or {}}
