"""One file a robot: joints, limits, cameras, safe action and action spaces; the ten primitives; a fake robot for tests."""
