"""Which objects of the buckets are whose: prefixes and patterns, as grants name them."""

from cdk.stacks.platform import ARTIFACTS_PREFIX, CHAOS_PREFIX, SOURCES_PREFIX

ARTIFACTS = f"{ARTIFACTS_PREFIX}/"
SOURCES = f"{SOURCES_PREFIX}/"
CHAOS = f"{CHAOS_PREFIX}/"

MONITOR_OBJECTS = (f"{CHAOS}*/samples/*", f"{CHAOS}*/monitor/*")
"""What a runner writes that monitors an experiment. What steers the monitor lies beside it, and is not a runner's."""

CLASSED_OBJECTS = f"{ARTIFACTS}*/artifacts/*"
"""What a runner writes with the class of the file as a tag: its life cycle goes by it."""

ARCHIVE_OBJECTS = f"{ARTIFACTS}*/archives/*"
"""Zips of runs' files, and what is known of them."""

PRICES = "prices/"
"""An operator's own price list. Nothing of Crosswind writes it, and it does not expire."""
