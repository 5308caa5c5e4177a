"""One run in one HTML file that needs nothing else."""
