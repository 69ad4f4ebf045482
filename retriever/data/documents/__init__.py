"""Documents of people, text, Markdown, HTML and PDF, as text with a title."""
