"""Speech: words in sound."""
