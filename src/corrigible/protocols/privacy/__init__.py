"""What a model gives away of the rows that it was trained on, and of the people they are about."""
