"""Runs the command line: `python -m auditreg`."""

from auditreg.cli import main

if __name__ == "__main__":
    main()
