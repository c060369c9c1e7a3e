"""Faults on the processes of a local application, on this machine."""
