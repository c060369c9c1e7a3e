"""Fault providers behind crosswind.chaos.providing.Provider."""
