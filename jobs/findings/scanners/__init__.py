"""The formats of the scanners, one file each; they do not know each other."""
