"""Rules: one `.sql` file each, read, contained and run over whole populations."""
