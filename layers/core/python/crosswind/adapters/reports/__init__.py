"""Report formats, read as bounded streams: reports are untrusted input."""
