"""The safety lever of AWS FIS: engaged, it stops every experiment of the account and region and lets none begin.

It stops other people's experiments too, which is what halting everything means.
"""

import logging
from dataclasses import dataclass
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from crosswind.adapters.aws.errors import error_code

_ID = "default"
_LONGEST_REASON = 500
_log = logging.getLogger(__name__)


class LeverClient(Protocol):
    """The calls of AWS FIS that are made here."""

    def get_safety_lever(self, **call: Any) -> Any: ...
    def update_safety_lever_state(self, **call: Any) -> Any: ...


@dataclass(frozen=True)
class FisSafetyLever:
    """The lever of one account and region."""

    client: LeverClient

    def engage(self, reason: str) -> str:
        return self._pull("engaged", reason)

    def disengage(self, reason: str) -> str:
        return self._pull("disengaged", reason)

    def _pull(self, wanted: str, reason: str) -> str:
        """AWS refuses to set the state that it has, so it is read first, and again where someone was quicker."""
        try:
            if self._state() == wanted:
                return wanted
            state = {"status": wanted, "reason": reason[:_LONGEST_REASON] or "Crosswind"}
            answer = self.client.update_safety_lever_state(id=_ID, state=state)
            return _told(answer)
        except ClientError as error:
            if error_code(error) in {"ConflictException", "ValidationException"}:
                return self._state_or_failed()
            _log.exception("the safety lever of AWS FIS did not move")
            return "failed"
        except BotoCoreError:
            _log.exception("the safety lever of AWS FIS could not be reached")
            return "unavailable"

    def _state(self) -> str:
        return _told(self.client.get_safety_lever(id=_ID))

    def _state_or_failed(self) -> str:
        try:
            return self._state()
        except (ClientError, BotoCoreError):
            _log.exception("the safety lever of AWS FIS could not be read")
            return "failed"


def _told(answer: Any) -> str:
    """AWS says `engaging` for a moment: nothing may begin any more, and what runs is being stopped."""
    status = str(answer["safetyLever"]["state"]["status"])
    return "engaged" if status == "engaging" else status
