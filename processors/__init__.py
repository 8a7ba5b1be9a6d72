"""Differentiable audio processors."""
