"""Graphs in files and in the structures of other libraries."""
