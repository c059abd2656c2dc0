"""What penalties share: shares of attribution on marked inputs, and replacement values for marked inputs."""
