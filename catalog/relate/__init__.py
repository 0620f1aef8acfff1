"""What SEV-SNP launch digests say about each other without any firmware: the same launch with more vCPUs."""
