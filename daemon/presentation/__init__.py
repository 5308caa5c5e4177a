"""A throw-away home with a real daemon, watched: bars while its run goes on, tables at its end."""
