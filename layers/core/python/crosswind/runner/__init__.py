"""The agent that runs inside a pod, a container or a local process."""
