"""The embedded cloud: starts the emulator, deploys the stacks into it, runs a pool of local runners."""
