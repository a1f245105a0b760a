"""What a command does, without printing: each use case once, for the command line and Python."""
