"""What the doctor looks at: the machine, the folders, and what runs."""
