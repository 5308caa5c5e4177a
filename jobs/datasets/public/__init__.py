"""Stage 1: rows of public data sets become examples."""
