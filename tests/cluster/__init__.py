"""A real Kubernetes for tests: a control plane, simulated nodes, and containers where they can run.

docs/testing-on-kubernetes.md says what it needs and what it costs.
"""
