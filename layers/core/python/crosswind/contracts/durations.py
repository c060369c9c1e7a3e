"""How a length of time is written in specs: `1h30m`, `45s`."""

from typing import Annotated

from pydantic import StringConstraints

Duration = Annotated[
    str,
    StringConstraints(
        pattern=r"^(?:[0-9]{1,6}h)?(?:[0-9]{1,6}m)?(?:[0-9]{1,6}s)?$", min_length=2, max_length=24
    ),
]
