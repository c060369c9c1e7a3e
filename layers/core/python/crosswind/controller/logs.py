"""One JSON line per statement, with the field names of the Elastic Common Schema, as the Lambdas have them."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

from crosswind.kernel.clock import to_iso

_QUIET = ("httpx", "httpcore", "urllib3", "botocore", "aiohttp.access")


class EcsFormatter(logging.Formatter):
    """A record as one line. What kopf says of an object names that object."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "@timestamp": to_iso(datetime.fromtimestamp(record.created, UTC)),
            "log.level": record.levelname,
            "log.logger": record.name,
            "message": record.getMessage(),
            "service.name": "crosswind-controller",
            "ecs.version": "8.11",
        }
        about = getattr(record, "k8s_ref", None)
        if about:
            line["orchestrator.namespace"] = about.get("namespace")
            line["orchestrator.resource.type"] = about.get("kind")
            line["orchestrator.resource.name"] = about.get("name")
        if record.exc_info and record.exc_info[0] is not None:
            line["error.type"] = record.exc_info[0].__name__
            line["error.stack_trace"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def configure(level: str) -> None:
    """Everything goes to stderr. kopf tells of each successful handler; only what went wrong is of use here."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(EcsFormatter())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    if level != "DEBUG":
        logging.getLogger("kopf.objects").setLevel(logging.WARNING)
