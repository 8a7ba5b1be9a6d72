"""Schedules: the order in which nodes are rendered."""
