"""Healthcare. For research, not a medical device."""
