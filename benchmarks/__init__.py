"""What grafx costs, measured side by side with others: ``python -m benchmarks``."""
