"""The pages for a browser: templates, one style sheet, no script."""
