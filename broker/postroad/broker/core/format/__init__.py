"""What goes in and out: commands in; records, effects and events out. Plain data, and its bytes."""
