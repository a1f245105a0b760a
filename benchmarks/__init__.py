"""Programs that measure the budgets of auditreg as ratios of one run."""
