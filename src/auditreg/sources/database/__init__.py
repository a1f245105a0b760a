"""Reading a registry from the database that MLflow keeps it in."""
