"""Following a run while it goes on: who watches, what runners ship when, who is told of what (ADR 0020)."""
