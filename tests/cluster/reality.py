"""What real containers do: one Job for each thing, all at once, under Pod Security `restricted`."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from tests.cluster.history import pod_history
from tests.cluster.manifests import RESTRICTED, container, job, pod_spec
from tests.cluster.real import REAL, TOLERATION, RealNode
from tests.cluster.scene import Scene

EXIT_CODE = 7
KILLED, DELETED = "real-killed", "real-deleted"
OOM = ("real-oom", "real-oom-again", "real-oom-once-more")
"""Three of a kind: containerd may tell of an end before it is told that it was memory, and then never does."""

_MISSING = "registry.example/suite:missing"


def on_real_node(spec: dict[str, Any]) -> dict[str, Any]:
    """The same pod, on the real node."""
    return spec | {"nodeSelector": {REAL: "true"}, "tolerations": [TOLERATION]}


@contextmanager
def lived(node: RealNode, *more: dict[str, Any]) -> Iterator[Scene]:
    """Create the Jobs, and those given; they go when this ends."""
    cluster = node.plane.cluster
    with (
        cluster.namespace("real", RESTRICTED) as namespace,
        pod_history(cluster, namespace) as history,
        ThreadPoolExecutor(max_workers=4) as pool,
    ):
        scene = Scene(cluster, namespace, history)
        manifests = [*real_jobs(), *more]
        for done in [pool.submit(cluster.batch.create_namespaced_job, namespace, each) for each in manifests]:
            done.result()
        yield scene


def real_jobs() -> list[dict[str, Any]]:
    """Jobs, named by what becomes of them; KILLED and DELETED end when they are made to."""
    work = {"name": "work", "emptyDir": {"sizeLimit": "1Mi"}}
    mounts = [{"name": "work", "mountPath": "/work"}]
    completes = pod_spec(
        container("read", "/work/prepared", volumeMounts=mounts),
        initContainers=[
            container("write", "/work/prepared", "made before", name="prepare", volumeMounts=mounts)
        ],
        volumes=[work],
    )
    probe = {"httpGet": {"port": 8080, "path": "/ready"}, "periodSeconds": 1}
    beside = container("serve", "8080", name="service", restartPolicy="Always", startupProbe=probe)
    served = pod_spec(container("get", "http://127.0.0.1:8080/orders"), initContainers=[beside])
    too_late = job(
        "real-deadline-of-pod", on_real_node(pod_spec(container("sleep", "60"), activeDeadlineSeconds=2))
    )
    never = container("pause", image=_MISSING)
    unpullable = container("pause", image=_MISSING) | {"imagePullPolicy": "Always"}
    secret = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "absent", "key": "token"}}}
    hungry = pod_spec(container("sleep", "1", name="agent"), container("eat", "200", memory="32Mi"))
    specs = {
        "real-succeeded": completes,
        "real-served": served,
        "real-failed": pod_spec(container("exit", str(EXIT_CODE))),
        "real-image-never": pod_spec(never),
        "real-image-pull": pod_spec(unpullable),
        "real-start-error": pod_spec(container("pause", command=["/no-such-program"])),
        "real-config-error": pod_spec(container("pause", env=[secret])),
        KILLED: pod_spec(container("sleep", "60")),
        DELETED: pod_spec(container("sleep", "60")),
        **dict.fromkeys(OOM, hungry),
    }
    return [*(job(name, on_real_node(spec)) for name, spec in specs.items()), too_late]
