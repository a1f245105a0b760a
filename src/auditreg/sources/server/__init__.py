"""Reading a registry over REST, from a tracking server."""
