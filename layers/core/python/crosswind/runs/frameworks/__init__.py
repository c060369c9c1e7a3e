"""Test frameworks as manifests: the built-in ones, and the rules of those that teams add."""
