"""The demonstration: everything sectune does, on a tiny model, in a few minutes."""
