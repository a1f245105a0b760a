"""What people read in a terminal, a module per view."""
