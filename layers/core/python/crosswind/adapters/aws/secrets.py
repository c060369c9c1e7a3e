"""Secrets in Secrets Manager: the teams' as `crosswind/<stage>/<team>/<name>`, and those of clusters apart from them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from crosswind.adapters.aws.errors import aws_errors, error_code
from crosswind.kernel.errors import NotFoundError

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

_MISSING = frozenset({"ResourceNotFoundException", "InvalidRequestException"})  # the latter: being deleted


@dataclass(frozen=True)
class SecretsManagerSecrets:
    """Secrets of one stage."""

    client: "SecretsManagerClient"
    stage: str

    def get(self, team: str, name: str) -> str:
        """A team's secret. Raises NotFoundError."""
        return self._read(f"crosswind/{self.stage}/{team}/{name}", f"team {team} has no secret {name}")

    def of_clusters(self, name: str) -> str:
        """Credentials of a cluster, under names that no runner may read. Raises NotFoundError."""
        secret = f"crosswind-clusters/{self.stage}/{name}"
        return self._read(secret, f"there is no secret {secret}")

    def _read(self, secret: str, missing: str) -> str:
        with aws_errors("secretsmanager"):
            try:
                answer = self.client.get_secret_value(SecretId=secret)
            except ClientError as error:
                if error_code(error) not in _MISSING:
                    raise
                raise NotFoundError(missing) from error
        if "SecretString" in answer:
            return answer["SecretString"]
        return answer["SecretBinary"].decode()
