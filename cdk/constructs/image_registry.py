"""Repositories of the runner's images: scanned when pushed, never overwritten, old ones removed."""

from dataclasses import dataclass

from aws_cdk import Duration, RemovalPolicy, Stack, aws_ecr, aws_kms
from constructs import Construct

from cdk.stages import Compute, Stage
from containers.build import IMAGES

_UNTAGGED_DAYS = 7


@dataclass(frozen=True, kw_only=True)
class ImageRegistryProps:
    """How long images stay, and who encrypts."""

    stage: Stage
    compute: Compute
    key: aws_kms.IKey


class ImageRegistry(Construct):
    """One repository for each image, under a prefix: that is a cluster's `images.registry`."""

    repositories: dict[str, aws_ecr.Repository]
    registry: str

    def __init__(self, scope: Construct, construct_id: str, *, props: ImageRegistryProps) -> None:
        super().__init__(scope, construct_id)
        self._props = props
        stack = Stack.of(self)
        prefix = f"crosswind-{props.stage.name}"
        self.registry = f"{stack.account}.dkr.ecr.{stack.region}.{stack.url_suffix}/{prefix}"
        self.repositories = {name: self._define(name, f"{prefix}/crosswind/{name}") for name in IMAGES}

    def _define(self, name: str, path: str) -> aws_ecr.Repository:
        made = aws_ecr.Repository(
            self,
            name.title(),
            repository_name=path,
            encryption=aws_ecr.RepositoryEncryption.KMS,
            encryption_key=self._props.key,
            image_scan_on_push=True,
            image_tag_mutability=aws_ecr.TagMutability.IMMUTABLE,
            removal_policy=RemovalPolicy.RETAIN if self._props.stage.protected else RemovalPolicy.DESTROY,
        )
        made.add_lifecycle_rule(
            description="what has no name",
            tag_status=aws_ecr.TagStatus.UNTAGGED,
            max_image_age=Duration.days(_UNTAGGED_DAYS),
        )
        made.add_lifecycle_rule(description="but the newest", max_image_count=self._props.compute.kept_images)
        return made
