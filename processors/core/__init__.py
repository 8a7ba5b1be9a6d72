"""Signal processing without parameters of its own: what processors are made of."""
