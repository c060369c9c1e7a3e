"""Stores on moto."""

from tests.stores.fixtures import bucket, dynamodb, moto, s3, sqs, tables

__all__ = ["bucket", "dynamodb", "moto", "s3", "sqs", "tables"]
