"""Stores, queues, tokens and executions on AWS."""
