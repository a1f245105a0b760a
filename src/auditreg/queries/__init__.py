"""Read-only questions to a ledger, each asked once, for reports, commands and Python alike."""
