"""The crosswind command: thin over the HTTP API, and over crosswind.local for the embedded cloud."""
