"""State machines: their files, and each of their branches on the emulator."""
