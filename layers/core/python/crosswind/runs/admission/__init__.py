"""Who gets a free slot: a pure policy over the queue, the usage and the capacity."""
