"""Examples on disk while a data set is built, and what belongs to one group."""
