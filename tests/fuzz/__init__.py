"""Fuzz targets: run by hand and by `make fuzz`, never by pytest."""
