"""Programs of this repository that no user of auditreg needs."""
