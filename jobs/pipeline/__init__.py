"""The chain of a run: which step comes next, what it may do, and how its state is written."""
