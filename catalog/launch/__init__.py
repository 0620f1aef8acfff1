"""What a VMM does at launch, and how the secure processor folds it into the launch digest."""
