"""Vendors' words stay inside here."""
