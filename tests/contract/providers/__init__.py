"""What every fault provider keeps, proven against the real thing: a Toxiproxy server, real processes, a faithful FIS."""
