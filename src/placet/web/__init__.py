"""The edges over HTTP: API, console, problems, and the published modules."""
