"""Edits of HCL and YAML that leave every other byte as it is."""
