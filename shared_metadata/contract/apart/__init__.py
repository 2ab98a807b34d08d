"""Programs that are not Atoll's, and run beside a function of its: their packages, and their process."""
