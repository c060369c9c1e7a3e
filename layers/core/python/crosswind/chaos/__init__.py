"""Chaos experiments: written, reviewed, gated, injected, watched, undone with proof, and judged."""
