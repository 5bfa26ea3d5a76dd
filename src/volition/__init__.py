"""Volition: from what a humanoid sees and is told to what it does. Start reading at `types.py`."""

__version__ = "0.1.0"
