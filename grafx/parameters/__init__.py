"""Parameters of the nodes of a graph: raw tensors, what nodes hold, and settings that people read."""
