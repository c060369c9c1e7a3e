"""How large a pod is, and what each of its containers gets: requests are limits, and nothing that is paid for is idle."""

from collections.abc import Sequence
from dataclasses import dataclass

from crosswind.contracts.clusters import CapacityKind
from crosswind.contracts.services import ServiceSpec
from crosswind.runs.planning.pricing import POD_OVERHEAD_MIB, Size, billed

AGENT_CPU_MILLIS = 250  # its start takes 2 to 3 s of CPU: with a tenth of one, twenty of every pod's time
AGENT_MEMORY_MIB = 256
_LEAST_TESTS_CPU = 100
_MIB = {"Mi": 1, "Gi": 1024}


@dataclass(frozen=True, slots=True)
class Sizes:
    """Of a pod and of its containers."""

    pod: Size
    tests: Size
    services: tuple[Size, ...]

    @property
    def agent(self) -> Size:
        """Of the agent, always the same."""
        return Size(AGENT_CPU_MILLIS, AGENT_MEMORY_MIB)


def service_size(service: ServiceSpec) -> Size:
    """What a service asks for."""
    return Size(cpu_millis(service.resources.cpu), memory_mib(service.resources.memory))


def cpu_millis(text: str) -> int:
    """Thousandths of a vCPU of `500m` or `2`."""
    return int(text[:-1]) if text.endswith("m") else int(text) * 1000


def memory_mib(text: str) -> int:
    """MiB of `512Mi` or `2Gi`."""
    return int(text[:-2]) * _MIB[text[-2:]]


def sizes_of(asked: Size, services: Sequence[ServiceSpec], kind: CapacityKind) -> Sizes:
    """The agent's share of the CPU comes out of what the shard asks for, its memory is added: tests keep all of theirs.

    On Fargate, which sells steps, the tests get the rest of the step.
    """
    beside = tuple(service_size(service) for service in services)
    tests_cpu = max(asked.cpu_millis - AGENT_CPU_MILLIS, _LEAST_TESTS_CPU)
    cpu = AGENT_CPU_MILLIS + tests_cpu + sum(size.cpu_millis for size in beside)
    memory = AGENT_MEMORY_MIB + asked.memory_mib + sum(size.memory_mib for size in beside)
    if kind is CapacityKind.FARGATE:
        sold = billed(Size(cpu, memory))
        spare_cpu = max(0, sold.cpu_millis - cpu)
        spare_memory = max(0, sold.memory_mib - POD_OVERHEAD_MIB - memory)
        return Sizes(
            Size(cpu + spare_cpu, memory + spare_memory),
            Size(tests_cpu + spare_cpu, asked.memory_mib + spare_memory),
            beside,
        )
    return Sizes(Size(cpu, memory), Size(tests_cpu, asked.memory_mib), beside)
