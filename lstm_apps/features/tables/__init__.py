"""Tables as people write them: which columns, which dialect, which times."""
