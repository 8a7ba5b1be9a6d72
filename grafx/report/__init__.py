"""A page to see and hear a graph: what it does to its sounds, and what a search found."""
