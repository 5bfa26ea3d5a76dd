"""Image, state, action and text transforms with their inverses: one pipeline for training, evaluation and deployment."""
