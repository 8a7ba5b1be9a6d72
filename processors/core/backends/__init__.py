"""Machinery that compiled kernels share."""
