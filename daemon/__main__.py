"""`python -P -m daemon` is the console script `sectune`, blind to the current folder."""

from daemon.cli import main

if __name__ == "__main__":
    main()
