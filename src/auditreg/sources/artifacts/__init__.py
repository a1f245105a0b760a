"""Reading model files: what MLmodel says, and which files there are."""
