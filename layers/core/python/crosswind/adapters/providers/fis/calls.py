"""Calls of AWS FIS, with its errors in Crosswind's words, and the search for what carries a marker."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from botocore.exceptions import ClientError

from crosswind.adapters.aws.errors import aws_errors, error_code
from crosswind.adapters.providers.fis.templates import MARKER_TAG
from crosswind.kernel.errors import DependencyError, ForbiddenError, InvalidInputError, ThrottledError

_PAGE = 100
_PAGES = 100
_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})


class QuotaError(ThrottledError):
    """FIS has as many experiments or templates as the account may have. For certain, nothing was begun."""


class MissingError(InvalidInputError):
    """FIS knows no such template or experiment."""


class RefusedError(InvalidInputError):
    """FIS will not do it now: a conflict, such as with its safety lever. For certain, nothing was begun."""


class FisClient(Protocol):
    """The calls of AWS FIS that are made here."""

    def create_experiment_template(self, **call: Any) -> Any: ...
    def delete_experiment_template(self, **call: Any) -> Any: ...
    def list_experiment_templates(self, **call: Any) -> Any: ...
    def start_experiment(self, **call: Any) -> Any: ...
    def stop_experiment(self, **call: Any) -> Any: ...
    def get_experiment(self, **call: Any) -> Any: ...
    def list_experiments(self, **call: Any) -> Any: ...
    def list_experiment_resolved_targets(self, **call: Any) -> Any: ...


@dataclass(frozen=True, slots=True)
class FisCalls:
    """Each call is safe to repeat: what is made carries a token, what ends may have ended."""

    client: FisClient

    def make_template(self, request: dict[str, Any]) -> str:
        """The template's id; the same token again gives the same template."""
        with fis_errors():
            return str(self.client.create_experiment_template(**request)["experimentTemplate"]["id"])

    def start(
        self, template: str, *, token: str, tags: dict[str, str], dry_run: bool = False
    ) -> dict[str, Any]:
        """The experiment; the same token again gives the same experiment. A dry run only resolves its targets."""
        options = {"experimentOptions": {"actionsMode": "skip-all"}} if dry_run else {}
        with fis_errors():
            answer = self.client.start_experiment(
                clientToken=token, experimentTemplateId=template, tags=tags, **options
            )
        return dict(answer["experiment"])

    def get(self, experiment: str) -> dict[str, Any]:
        """Raises MissingError."""
        with fis_errors():
            return dict(self.client.get_experiment(id=experiment)["experiment"])

    def stop(self, experiment: str) -> None:
        """No error where it ended meanwhile: FIS refuses to stop what is over."""
        try:
            with fis_errors():
                self.client.stop_experiment(id=experiment)
        except InvalidInputError:
            return

    def drop_template(self, template: str) -> None:
        """No error where it is gone."""
        try:
            with fis_errors():
                self.client.delete_experiment_template(id=template)
        except MissingError:
            return

    def resolved(self, experiment: str) -> list[dict[str, str]]:
        """What each resolved target is, as FIS tells it."""
        found: list[dict[str, str]] = []
        for page in self._pages("list_experiment_resolved_targets", experimentId=experiment):
            found += [dict(each["targetInformation"]) for each in page["resolvedTargets"]]
        return found

    def experiment_of(self, marker: str) -> str | None:
        """The id of the experiment that carries the marker."""
        return self._tagged("list_experiments", "experiments", marker)

    def template_of(self, marker: str) -> str | None:
        """The id of the template that carries the marker."""
        return self._tagged("list_experiment_templates", "experimentTemplates", marker)

    def _tagged(self, operation: str, items: str, marker: str) -> str | None:
        for page in self._pages(operation):
            for each in page[items]:
                if each.get("tags", {}).get(MARKER_TAG) == marker:
                    return str(each["id"])
        return None

    def _pages(self, operation: str, **call: Any) -> Iterator[Any]:
        token: dict[str, str] = {}
        for _ in range(_PAGES):
            with fis_errors():
                page = getattr(self.client, operation)(maxResults=_PAGE, **call, **token)
            yield page
            if not page.get("nextToken"):
                return
            token = {"nextToken": page["nextToken"]}
        raise DependencyError(
            f"AWS FIS has more than {_PAGE * _PAGES} items; the one in question was not found"
        )


@contextmanager
def fis_errors() -> Iterator[None]:
    """What FIS refuses for good, in Crosswind's words; throttling and faults as for every service of AWS."""
    try:
        with aws_errors("AWS FIS"):
            yield
    except ClientError as error:
        code = error_code(error)
        sentence = f"AWS FIS: {error.response.get('Error', {}).get('Message') or code}"
        if code == "ServiceQuotaExceededException":
            raise QuotaError(sentence) from error
        if code == "ResourceNotFoundException":
            raise MissingError(sentence) from error
        if code == "ConflictException":
            raise RefusedError(sentence) from error
        if code == "ValidationException":
            raise InvalidInputError(sentence) from error
        if code in _DENIED:
            raise ForbiddenError(sentence) from error
        raise
