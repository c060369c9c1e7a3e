"""A run of many pods on a real control plane while everything around it breaks; `python -m tests.bench.pods` drives it."""
