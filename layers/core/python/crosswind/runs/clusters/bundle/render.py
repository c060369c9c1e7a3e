"""The whole bundle as files of a kustomization. Pure."""

from collections.abc import Mapping, Sequence

import yaml

from crosswind.kernel.errors import FieldError, InvalidInputError
from crosswind.runs.clusters.bundle.controller import controller_objects
from crosswind.runs.clusters.bundle.definitions import definitions
from crosswind.runs.clusters.bundle.eks import eks_objects
from crosswind.runs.clusters.bundle.namespaces import namespace_objects
from crosswind.runs.clusters.bundle.options import BundleOptions
from crosswind.runs.clusters.bundle.shared import priority_classes, shared_objects
from crosswind.runs.clusters.bundle.structural import Json

KUSTOMIZATION = "kustomization.yaml"
_HEADER = "# Made by `crosswind clusters render`; change the cluster's document, and render it again.\n"


def objects_of(options: BundleOptions) -> dict[str, list[Json]]:
    """Objects by the file that has them, in the order in which they can be applied.

    Raises:
        InvalidInputError: There is no team, or two of them would share a namespace.
    """
    _check(options)
    made: dict[str, list[Json]] = {
        f"crds/{each['metadata']['name'].partition('.')[0]}.yaml": [each] for each in definitions()
    }
    made["shared.yaml"] = [*priority_classes(), *shared_objects(options)]
    for team in options.teams:
        made[f"namespaces/{options.namespace(team)}.yaml"] = namespace_objects(options, team)
    if controller := controller_objects(options):
        made["controller.yaml"] = controller
    only_eks = eks_objects(options)
    if only_eks:
        made["eks.yaml"] = only_eks
    return made


def files_of(options: BundleOptions) -> dict[str, str]:
    """Texts by path. Raises InvalidInputError as `objects_of` does."""
    made = {path: _text(objects) for path, objects in objects_of(options).items()}
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": list(made),
    }
    return {KUSTOMIZATION: _text([kustomization])} | made


class _Plain(yaml.SafeDumper):
    """Writes every value out: anchors are read by few people."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002  # the signature is PyYAML's
        return True


def _text(objects: Sequence[Mapping[str, object]]) -> str:
    return _HEADER + yaml.dump_all(
        objects, Dumper=_Plain, sort_keys=False, allow_unicode=True, default_flow_style=False, width=110
    )


def _check(options: BundleOptions) -> None:
    faults = []
    if not options.teams:
        faults.append(
            FieldError("spec.teams", "a bundle needs teams", expected="teams of the cluster, or --teams a,b")
        )
    namespaces = [options.namespace(team) for team in options.teams]
    if len(set(namespaces)) < len(namespaces):
        faults.append(FieldError("spec.teams", "a team is named twice", expected="each once"))
    if faults:
        raise InvalidInputError("the bundle cannot be made", faults)
