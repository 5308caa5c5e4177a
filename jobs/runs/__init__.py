"""A run on disk: its manifest, its folder, and the only code that writes them."""
