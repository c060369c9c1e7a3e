"""Crosswind: a serverless control plane for test automation and chaos engineering."""

__version__ = "0.1.0"
