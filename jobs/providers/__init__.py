"""Places that can train."""
