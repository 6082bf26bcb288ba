"""The console page's files: plain HTML, CSS and JavaScript, without a build step; ``http_api.console`` serves them."""
