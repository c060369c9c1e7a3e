"""Load tests: what several workers measured, merged without loss, judged as one, compared with a baseline (ADR 0017)."""
