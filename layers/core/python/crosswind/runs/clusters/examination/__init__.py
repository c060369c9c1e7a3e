"""`crosswind clusters doctor`: whether a cluster is ready for pods of tests, and what to do where it is not."""
