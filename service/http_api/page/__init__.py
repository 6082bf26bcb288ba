"""The console page's files: plain HTML, CSS and JavaScript without a build step, which ``http_api.console`` serves."""
