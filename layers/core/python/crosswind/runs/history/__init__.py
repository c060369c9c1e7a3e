"""What is known of each test from its earlier runs: durations, outcomes, flakiness, quarantine."""
