"""The in-cluster controller: hands Crosswind's kinds to the HTTP API, mirrors what becomes of them, and tells of pods at once."""
