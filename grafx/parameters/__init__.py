"""Parameters of the nodes of a graph: raw tensors, attributes of nodes, and readable settings."""
