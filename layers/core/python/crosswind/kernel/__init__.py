"""What every layer may use: errors, clock, ids and JSON. Standard library only."""
