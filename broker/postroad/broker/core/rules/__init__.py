"""The rules: one file for each verb. A rule decides, and changes durable state by records only."""
