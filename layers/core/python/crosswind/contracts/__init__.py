"""What crosses a wire: specs, requests, answers, task payloads, queue messages, domain events. Golden schemas guard them."""
