"""The verbs of the runs area: each is a frozen dataclass with its needs as fields, called with its input."""
