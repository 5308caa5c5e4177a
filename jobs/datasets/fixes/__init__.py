"""Stage 2: a finding and its known fix become an example."""
