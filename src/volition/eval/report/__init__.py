"""The report of `volition eval`: one page with figures, plots and films, and enough in it to run its trials again."""
