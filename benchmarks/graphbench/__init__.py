"""GraphBench: three tasks of blind estimation, with fixed graphs and sounds, and entries that are scored alike."""
