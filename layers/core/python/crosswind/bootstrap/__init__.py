"""The composition root: the only place that builds clients and wires use cases, lazily."""
