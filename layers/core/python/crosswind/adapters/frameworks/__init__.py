"""Test frameworks: how to discover, select and run tests, and what they leave behind."""
