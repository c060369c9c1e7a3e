"""The monitor of an experiment's run: leased work that takes probes, watches guards, and announces what it sees."""
