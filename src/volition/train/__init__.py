"""The trainer, its objectives, optimisation and checkpoints."""
