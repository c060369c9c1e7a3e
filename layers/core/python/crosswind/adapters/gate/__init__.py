"""Sources of the safety gate outside of Crosswind. Each implements crosswind.chaos.ports.GateSource."""
