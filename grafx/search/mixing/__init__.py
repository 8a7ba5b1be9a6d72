"""Search for the mixing graph that turns stems into a mix."""
