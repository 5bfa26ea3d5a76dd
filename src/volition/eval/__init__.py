"""Rollouts, studies and metrics with intervals, and the pictures and reports made of them."""
