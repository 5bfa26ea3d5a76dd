"""Pictures to tokens: encoders built here and by others, several cameras joined, and a dict of them all by name."""
