"""From discovered tests to shards: estimates, units, split, forecast, cost. Pure; see docs/decisions/0009-planning.md."""
