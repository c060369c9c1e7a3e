"""The container images: a Dockerfile each, and `build`, which makes them."""
