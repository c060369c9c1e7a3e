"""What crosses a boundary in the chaos area: the spec, the API's documents, the machine's payloads, the monitor's plan."""
