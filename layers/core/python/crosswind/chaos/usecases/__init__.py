"""The verbs of the chaos area: each is a frozen dataclass with its needs as fields, called with its input."""
