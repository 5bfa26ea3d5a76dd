"""Sentences to the ten primitives: an instruction is cut into steps, each step classified, the plan carried out. No training."""
