"""The way past typer: `sectune status` answers at once, and the daemon idles small. Light modules only."""
