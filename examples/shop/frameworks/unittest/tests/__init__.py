"""The shop's API, tested with the standard library alone."""
