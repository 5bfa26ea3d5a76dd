"""Episodes on disk, readers of other formats, lint, statistics, the training loader."""
