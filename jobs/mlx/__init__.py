"""What runs inside the children that use the device: the only code that imports mlx and mlx_lm."""
