"""Faults that AWS FIS injects."""
