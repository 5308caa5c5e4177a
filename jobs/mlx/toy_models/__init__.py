"""Models made here, small enough for tests, the demo and the proof that it learns."""
