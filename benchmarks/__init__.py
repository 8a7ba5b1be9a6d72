"""Benchmarks of grafx in comparison with other packages: ``python -m benchmarks``."""
