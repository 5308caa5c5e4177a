"""One file a command, named like it: its options and its body. A group of commands is a folder."""
