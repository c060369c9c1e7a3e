"""The edge of every Lambda: parse, log context, trace, convert errors."""
