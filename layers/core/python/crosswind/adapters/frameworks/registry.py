"""Which adapter serves which framework. A further framework is a further line."""

from crosswind.adapters.frameworks.base import FrameworkAdapter
from crosswind.adapters.frameworks.command import CommandAdapter
from crosswind.adapters.frameworks.jmeter import JMeterAdapter
from crosswind.adapters.frameworks.k6 import K6Adapter
from crosswind.adapters.frameworks.loads import LoadAdapter
from crosswind.adapters.frameworks.pytest import PytestAdapter
from crosswind.contracts.suites import Framework

_LOADS: dict[Framework, LoadAdapter] = {
    Framework.K6: K6Adapter(),
    Framework.JMETER: JMeterAdapter(),
}

_ADAPTERS: dict[Framework, FrameworkAdapter] = {
    Framework.PYTEST: PytestAdapter(),
    Framework.COMMAND: CommandAdapter(),
    **_LOADS,
}


def adapter_for(framework: Framework) -> FrameworkAdapter:
    """The adapter of a framework. Every member of the enumeration has one."""
    return _ADAPTERS[framework]


def load_adapter_for(framework: Framework) -> LoadAdapter:
    """The adapter of a load tool. Raises KeyError for a framework that is none: the suite's rules refuse such a load."""
    return _LOADS[framework]
