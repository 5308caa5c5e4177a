"""One finding per problem: repeats, cross-format duplicates (JSON beside SARIF) and aliases joined."""
