"""What a reader sees: pages, figures, drawings, from what evaluation says of records. Trains nothing; no backend."""
