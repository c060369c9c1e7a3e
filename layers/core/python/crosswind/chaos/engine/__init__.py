"""The pure parts of the engine: what is planned, what may still be in, what phase it is, and when nobody acts any more."""
