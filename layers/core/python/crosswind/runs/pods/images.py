"""Which image a shard's tests run in, and which one its agent."""

from crosswind.contracts.clusters import ImagesSpec
from crosswind.contracts.work import MonitorOrder, PrepareOrder, ShardOrder
from crosswind.runs.frameworks.catalogue import builtin_manifest

OWN = "crosswind/"
"""Images of this project: a cluster says in which registry they are, and under which tag."""
BASE = f"{OWN}base"


def agent_image(images: ImagesSpec) -> str:
    """The runner alone."""
    return _located(BASE, images)


def tests_image(order: PrepareOrder | ShardOrder | MonitorOrder, images: ImagesSpec) -> str:
    """The suite's own, or the framework's, or the runner's where neither says one."""
    if isinstance(order, MonitorOrder):
        return agent_image(images)
    manifest = order.manifest
    if manifest is None:
        known = builtin_manifest(order.framework)
        manifest = known.spec if known else None
    return _located(order.image or (manifest.image if manifest else None) or BASE, images)


def _located(image: str, images: ImagesSpec) -> str:
    if not image.startswith(OWN):
        return image
    registry = f"{images.registry}/" if images.registry else ""
    name = image if ":" in image or "@" in image else f"{image}:{images.tag}"
    return f"{registry}{name}"
