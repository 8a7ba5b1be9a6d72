"""Search for the settings of a synthesizer or an effect that reproduce a sound."""
