"""Turning findings and public records into training examples; runs in a child process."""
