"""The one loop: observe, infer, execute, shield, command; with its clock, executor and recorder."""
