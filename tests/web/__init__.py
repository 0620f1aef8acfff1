"""The service, the site and their page, asked over HTTP and looked at with a browser."""
