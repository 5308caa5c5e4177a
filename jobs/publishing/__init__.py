"""What leaves the machine, and the last look at it before it goes."""
