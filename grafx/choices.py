"""What options of blind estimation may be, apart from all that computes with them."""

BY = "sound", "structure", "settings"
"""What validation and test do not share with training."""

DRY = "given", "absent", "either"
"""Whether a model hears the dry sound beside the output."""

AUDIBLE_DB = -30.0
"""Level of a change, relative to the output, from which on it counts."""
