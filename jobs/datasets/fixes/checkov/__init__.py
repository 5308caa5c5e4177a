"""Checkov's checks and the edits that satisfy them."""
