"""Certified models on disk: their names, their contents, which one is in use and how it came to be."""
