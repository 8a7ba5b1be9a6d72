"""The page that a search leaves: see, hear, compare; and the same page live."""
