"""The long-lived process and the command line in front of it; nothing here trains."""
