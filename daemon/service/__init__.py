"""The daemon under launchd or systemd, and a start that fails again and again."""
