"""What authors of rules test them with: a registry written down as a case, and its results."""
