"""The example application, `examples/shop`, as real processes on free ports of 127.0.0.1. No cloud is needed."""
