"""The steps that flows and commands run beside the stages: rounds of the model, report, MLflow, delivery, take-home."""
