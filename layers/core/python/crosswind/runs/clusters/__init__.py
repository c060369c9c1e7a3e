"""Kubernetes clusters that Crosswind is pointed at: reading their documents, and choosing one for a suite. Pure."""
