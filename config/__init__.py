"""Every setting: its name, its default, its type, its range, and how it is loaded."""
