"""The seeds of the draws in a manifest: those of the study, and those of the confirmation.

A manifest holds a draw for each of them, whatever params.yaml asks for. So a higher seeds.max or confirm.seeds changes
no manifest, and no trial has to run again.
"""

STUDY_SEEDS = range(20)
CONFIRM_SEEDS = range(1000, 1005)  # far from the study's, so that no trial of the study has used one
