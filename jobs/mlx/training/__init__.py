"""All that shapes an adapter: stage 1 is trained anew when a file here changes."""
