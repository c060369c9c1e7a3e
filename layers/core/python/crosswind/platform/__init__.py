"""The platform area: who may do what."""
