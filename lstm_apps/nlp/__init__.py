"""Language: what texts say."""
