"""MLX on this machine."""
