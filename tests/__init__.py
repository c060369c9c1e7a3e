"""Crosswind's tests."""
