"""A sweep of very many trials: how fast it is at its beginning and its end, what it keeps in memory and on disk, how soon it is open again."""
