"""A client's files as checked facts: read, renamed, judged, brought together."""
