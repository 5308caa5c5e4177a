"""The proof that sectune learns: generated data, a base model made on the spot, the real chain."""
