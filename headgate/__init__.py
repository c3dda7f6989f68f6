"""Headgate: a payment gateway that is a stream processor on a Kafka log."""
