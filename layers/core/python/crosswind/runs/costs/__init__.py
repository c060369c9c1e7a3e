"""What runs have cost: pure rules over pods, works and cases, with prices that are data."""
