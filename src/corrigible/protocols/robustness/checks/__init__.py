"""What is checked of a row of a table before its prediction is used: each check in a file of its own."""
