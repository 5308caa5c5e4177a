"""All that only macOS knows: the LaunchAgent that keeps the daemon alive."""
