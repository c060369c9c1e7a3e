"""What the synthesized templates promise, for every stage."""
