"""The team's secrets in Secrets Manager, named `crosswind/<stage>/<team>/<name>`."""

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
        with aws_errors("secretsmanager"):
            try:
                answer = self.client.get_secret_value(SecretId=f"crosswind/{self.stage}/{team}/{name}")
            except ClientError as error:
                if error_code(error) not in _MISSING:
                    raise
                raise NotFoundError(f"team {team} has no secret {name}") from error
        if "SecretString" in answer:
            return answer["SecretString"]
        return answer["SecretBinary"].decode()
