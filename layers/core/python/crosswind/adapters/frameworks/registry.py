"""Which adapter serves which framework. A further framework is a further line."""

from crosswind.adapters.frameworks.base import FrameworkAdapter
from crosswind.adapters.frameworks.command import CommandAdapter
from crosswind.adapters.frameworks.pytest import PytestAdapter
from crosswind.contracts.suites import Framework

_ADAPTERS: dict[Framework, FrameworkAdapter] = {
    Framework.PYTEST: PytestAdapter(),
    Framework.COMMAND: CommandAdapter(),
}


def adapter_for(framework: Framework) -> FrameworkAdapter:
    """The adapter of a framework. Every member of the enumeration has one."""
    return _ADAPTERS[framework]
