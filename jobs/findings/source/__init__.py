"""The scanned code: a checkout, and the function around a line."""
