"""The HTTP side: it translates between HTTP and the service, and decides nothing.

Entry points: ``server.create_http_api``, ``server.serve_http``, ``server.serve_metrics``, ``view.HttpView``.
"""
