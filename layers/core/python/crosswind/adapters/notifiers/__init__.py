"""Who is told: the operators' topic, and the teams' webhooks."""
