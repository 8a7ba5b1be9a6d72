"""What ``grafx songs`` does."""
