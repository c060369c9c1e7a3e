"""Writes down how each thing that can become of a pod looks to an observer:  python -m tests.cluster.shapes FOLDER

One file for each: every version of the pod that a watch showed, the Job in the end, and the events about both.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from crosswind.local.home import LocalError
from tests.cluster.history import trimmed
from tests.cluster.plane import ControlPlane, PlaneOptions
from tests.cluster.real import RealNode
from tests.cluster.reality import DELETED, KILLED, lived
from tests.cluster.runtime import ensure_runtime, write_images
from tests.cluster.scene import Scene, stage_of
from tests.cluster.toolbox import ensure_kubernetes, ensure_kwok, ensure_probe

_SECONDS = 75  # until pods of deleted nodes are collected
_REAL_SECONDS = 15


def write_shapes(scene: Scene, folder: Path) -> list[str]:
    """Write them; their names."""
    folder.mkdir(parents=True, exist_ok=True)
    jobs = {job.metadata.name for job in scene.cluster.batch.list_namespaced_job(scene.namespace).items}
    names = sorted(jobs | {name.rsplit("-", 1)[0] for name in scene.history.versions})
    for name in names:
        shape = {
            "job": _job(scene, name) if name in jobs else None,
            "pod": [trimmed(version) for version in scene.history.of(name)],
            "podIsGone": scene.history.is_gone(name),
            "events": _events(scene, name),
        }
        (folder / f"{name}.json").write_text(json.dumps(shape, indent=2) + "\n", encoding="utf-8")
    return names


def _job(scene: Scene, name: str) -> dict[str, Any]:
    status: dict[str, Any] = scene.job(name)["status"]
    return status


def _events(scene: Scene, name: str) -> list[dict[str, Any]]:
    found = scene.cluster.core.list_namespaced_event(scene.namespace).items
    return [
        {
            "object": event.involved_object.kind,
            "type": event.type,
            "reason": event.reason,
            "message": event.message,
        }
        for event in found
        if event.involved_object.name == name or event.involved_object.name.startswith(f"{name}-")
    ]


def _write_real_shapes(plane: ControlPlane, folder: Path, scratch: Path) -> None:
    """The same from a real kubelet, where one can run."""
    try:
        node = RealNode(plane, ensure_runtime(print), write_images(ensure_probe(print), scratch))
    except LocalError as missing:
        print(missing)
        return
    with node.running(), lived(node) as scene:
        time.sleep(_REAL_SECONDS)
        node.kill_container(scene.namespace, scene.pod_name(KILLED), "tests")
        scene.cluster.core.delete_namespaced_pod(scene.pod_name(DELETED), scene.namespace)
        time.sleep(_REAL_SECONDS)
        print("\n".join(write_shapes(scene, folder)))


def main() -> None:
    """Play everything and write it down."""
    folder = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as scratch:
        plane = ControlPlane(
            ensure_kubernetes(print), Path(scratch), PlaneOptions(node_grace_seconds=30, toleration_seconds=4)
        )
        cluster = plane.start()
        try:
            with stage_of(cluster, ensure_kwok(print), Path(scratch)) as scene:
                _write_real_shapes(plane, folder, Path(scratch))
                time.sleep(_SECONDS)
                print("\n".join(write_shapes(scene, folder)))
        finally:
            plane.stop()


if __name__ == "__main__":
    main()
