"""The language of the task suite: what can be said in a scene, what it means there, and what is held out."""
