"""A finding and its parts: severity, CWE, packages, versions."""
