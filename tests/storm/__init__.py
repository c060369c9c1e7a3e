"""A storm: many shards of several teams while runners die, messages come doubled and late, tables refuse, workers are killed.

`stand_ins` are runners that run no tests, `weather` breaks things, `run` drives one storm, `judging` says what it came to and
`chart` draws it. `tests/e2e/test_storm.py` is the small edition, `python -m tests.bench.storm` the whole one.
"""
