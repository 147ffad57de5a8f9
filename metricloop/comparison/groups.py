"""Groups of arms whose mean gain is tested: names that are not the user's own."""

ROUND = "round "  # begins the name of a group: the arms of one round of the model
MODEL = "the model"  # all rounds of the model
ALL = "all"  # all treatments
