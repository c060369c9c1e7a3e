"""Kubernetes' words stay in here."""
