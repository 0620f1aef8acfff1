"""What several tests share: builders, fixtures, hosts and hostile input."""
