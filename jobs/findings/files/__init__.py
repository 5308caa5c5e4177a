"""Bytes become documents: encodings, archives, streamed JSON, XML."""
