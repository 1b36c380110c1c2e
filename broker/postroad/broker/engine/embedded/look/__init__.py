"""Looking: queries, search, readers of streams, watches, stories of single messages, numbers."""
