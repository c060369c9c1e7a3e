"""Benchmarks: ratios against a named baseline measured in the same run. Run with `make bench`; figures go into docs/performance.md."""
