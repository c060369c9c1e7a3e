"""What rules of single parts of an experiment need to know of the whole."""

from dataclasses import dataclass

from crosswind.chaos.addresses import AddressRules
from crosswind.chaos.providing import Providers
from crosswind.contracts.chaos.gate import PolicySpec


@dataclass(frozen=True, slots=True)
class Context:
    """Where an experiment would run, by whom, and with which bounds. None: not known here."""

    team: str
    environment: str
    providers: Providers | None
    policy: PolicySpec | None
    addresses: AddressRules
    percents: tuple[float, ...]
    shortest_hold: int | None  # of any step; None where it cannot be told
