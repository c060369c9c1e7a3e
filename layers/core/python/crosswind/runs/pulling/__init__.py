"""Pulling inside a run: runners lease batches of tests from one list (ADR 0002)."""
