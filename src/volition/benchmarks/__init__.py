"""Adapters to suites others wrote."""
