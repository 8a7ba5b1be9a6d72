"""Machinery and inner loops shared by compiled kernels."""
