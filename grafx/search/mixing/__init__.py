"""Search for the mixing graph that explains how stems became a mix."""
