"""Machinery that compiled kernels share, and inner loops that several of them run."""
