"""What the page of a dataset shows, computed once by the worker that publishes it."""
