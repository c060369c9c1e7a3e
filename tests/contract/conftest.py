"""The same moto as in tests/stores, for the half of each contract that is no fake."""

from tests.stores.fixtures import bucket, dynamodb, moto, s3, sqs, tables

__all__ = ["bucket", "dynamodb", "moto", "s3", "sqs", "tables"]
