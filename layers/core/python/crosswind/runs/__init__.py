"""The runs area: suites are submitted, prepared, planned, queued, executed in shards, folded and judged."""
