"""Work in pods: where each goes, what its Job is, and what becomes of it. Pure; Kubernetes itself is in the adapters."""
