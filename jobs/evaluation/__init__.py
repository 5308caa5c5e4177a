"""What a model's answers are worth: scores, their uncertainty, and the report a person can read."""
