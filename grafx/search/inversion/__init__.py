"""Search for the settings of a synthesizer or an effect that made a sound."""
