"""Plumbing that every service of the shop uses: HTTP in and out, metrics, logs, records that outlive a process."""
