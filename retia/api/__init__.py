"""The server: datasets to download, predictions to score, and pages to look at."""
