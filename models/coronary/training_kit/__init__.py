"""What the training folders of the five families share: schedules, weight averages, checkpoints. Needs torch."""
