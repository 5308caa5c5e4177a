"""One file per step, each a function run(job); steps do not know each other."""
