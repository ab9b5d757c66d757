"""A night as HTML, Markdown and JSON."""
