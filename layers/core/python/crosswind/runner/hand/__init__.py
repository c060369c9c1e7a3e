"""The hand: starts commands in the tests' container for an agent in another one (docs/runner.md).

A Unix socket in a folder that both share, one connection for each command. The agent holds the lease and the credentials;
the hand holds nothing, and whoever takes it over can do no more than the tests can do anyway.
"""
