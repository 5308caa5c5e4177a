"""An example: its text, its quality, what is left out of it and why."""
