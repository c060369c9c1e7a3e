"""What a Kubernetes cluster needs before pods of tests run on it, as manifests. Pure."""
