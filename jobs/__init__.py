"""What sectune does to a delivery: the chain, its steps and the rooms the steps use."""
